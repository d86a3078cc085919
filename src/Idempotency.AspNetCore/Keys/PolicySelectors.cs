using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>What a policy selects of a request, worked out once for each policy.</summary>
/// <param name="Key">Selects the key; null: it is not selected.</param>
/// <param name="Fingerprint">Selects what is validated; null: <see cref="IdempotencyPolicy.Fingerprint"/> says.</param>
/// <param name="FingerprintHeaders">The headers that count beside that: in lower case and in order, each once.</param>
internal sealed record PolicySelectors(Selector? Key, Selector? Fingerprint, string[] FingerprintHeaders)
{
    public static PolicySelectors None { get; } = new(null, null, []);

    /// <summary>The request headers that the selectors are seen to read.</summary>
    public IReadOnlyCollection<string> Headers => [.. Key?.Headers ?? [], .. Fingerprint?.Headers ?? []];

    /// <exception cref="InvalidOperationException">One cannot be compiled: the message names the fix.</exception>
    public static PolicySelectors Of(IdempotencyPolicy policy, IIdempotencySelectorLanguage? language, string who) => new(
        policy.KeySelector is { } key ? new Selector(language, nameof(policy.KeySelector), key, who) : null,
        policy.FingerprintSelector is { } fingerprint ? new Selector(language, nameof(policy.FingerprintSelector), fingerprint, who) : null,
        [.. (policy.FingerprintHeaders ?? []).Select(static header => header.ToLowerInvariant()).Distinct().Order(StringComparer.Ordinal)]);

    /// <summary>The key of a request that names none: what is selected of it, or all of its body.</summary>
    public Selection KeyOf(HttpContext context, RequestBody body) =>
        Key is not null ? Key.Of(context, body) : body.Bytes.IsEmpty ? default : new Selection(RequestIdentity.KeyOf(context, body));

    /// <returns>Whether there is a fingerprint; false when what counts cannot be selected.</returns>
    public bool TryFingerprint(HttpContext context, IdempotencyPolicy policy, RequestBody body, out Fingerprint fingerprint, [NotNullWhen(false)] out string? error)
    {
        error = null;
        if (Fingerprint is null)
        {
            fingerprint = RequestIdentity.FingerprintOf(context, policy, body);
        }
        else
        {
            (var selected, error) = Fingerprint.Of(context, body);
            fingerprint = error is null ? RequestIdentity.FingerprintOfSelection(context, selected) : default;
        }

        if (FingerprintHeaders.Length > 0 && error is null)
        {
            fingerprint = RequestIdentity.WithHeaders(context.Request, FingerprintHeaders, fingerprint);
        }

        return error is null;
    }
}
