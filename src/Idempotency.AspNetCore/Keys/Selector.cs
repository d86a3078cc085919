using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>A compiled selector of a policy, and the document that it is applied to.</summary>
/// <remarks>
/// The rule depends only on the expression: 1. if it names a member of the envelope at its root, it is applied to the envelope, and any other root name is an
/// error (it would never select anything); 2. otherwise it is applied to the body.
/// </remarks>
internal sealed class Selector
{
    private readonly string _expression;
    private readonly string _setting;
    private readonly IIdempotencySelector _compiled;
    private readonly IReadOnlyCollection<string>? _members;
    private readonly bool _readsBody;

    /// <exception cref="InvalidOperationException">There is no language, or the expression is not valid: the message names the fix.</exception>
    public Selector(IIdempotencySelectorLanguage? language, string setting, string expression, string who)
    {
        _expression = expression;
        _setting = setting;
        if (language is null)
        {
            throw new InvalidOperationException($"{who} sets {setting} to '{expression}', but no selector language is registered. Add the package Idempotency.AspNetCore.JmesPath and call AddIdempotency().AddJmesPath().");
        }

        try
        {
            _compiled = language.Compile(expression);
        }
        catch (FormatException invalid)
        {
            throw new InvalidOperationException($"{who} sets {setting} to '{expression}', which is not valid. {invalid.Message}", invalid);
        }

        var names = _compiled.RootNames;
        var strangers = names.Where(static name => !RequestEnvelope.Members.Contains(name)).ToList();
        if (strangers.Count > 0 && strangers.Count < names.Count)
        {
            var member = names.First(RequestEnvelope.Members.Contains);
            throw new InvalidOperationException(
                $"{who} sets {setting} to '{expression}', which refers to '{member}' in the request envelope and to '{strangers[0]}', which the envelope does not have. Write 'body.' before '{strangers[0]}' to select it from the body, and before '{member}' if it is in the body too. The members of the envelope are {string.Join(", ", RequestEnvelope.Members.Order())}.");
        }

        _members = names.Count > 0 && strangers.Count == 0 ? names : null;
        _readsBody = _members is null || _members.Contains("body");
        Headers = _members?.Contains("headers") == true ? [.. _compiled.NamesUnder("headers").Where(HttpToken.IsValid)] : [];
    }

    /// <summary>The request headers that it is known to read.</summary>
    public IReadOnlyCollection<string> Headers { get; }

    /// <summary>Selects from a request.</summary>
    public Selection Of(HttpContext context, RequestBody body)
    {
        string? error = null;
        var form = _readsBody ? FormFields.Of(context, body, out error) : null;
        if (error is not null)
        {
            return new Selection(null, $"{Name} selects from the body, but the form in it cannot be read. {error}");
        }

        using var document = _members is null ? RequestEnvelope.BodyOf(context.Request, body, form) : RequestEnvelope.Of(context, body, form, _members);
        return Of(document.RootElement);
    }

    /// <summary>Selects from a function's payload.</summary>
    public Selection Of(ReadOnlyMemory<byte> payload)
    {
        using var document = _members is null ? RequestEnvelope.BodyOf(payload) : RequestEnvelope.Of(payload);
        return Of(document.RootElement);
    }

    private string Name => $"The {_setting} '{_expression}'";

    private Selection Of(JsonElement document)
    {
        var selected = new ArrayBufferWriter<byte>(256);
        try
        {
            return _compiled.TrySelect(document, selected)
                ? new Selection(RequestIdentity.KeyOf(selected.WrittenSpan, isJson: true))
                : default;
        }
        catch (IdempotencySelectorException inapplicable)
        {
            return new Selection(null, $"{Name} could not be applied to the request. {inapplicable.Message}");
        }
    }
}
