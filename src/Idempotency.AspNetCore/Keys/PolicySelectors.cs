using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>The selectors of a policy, compiled once per policy.</summary>
/// <param name="Key">Selects the key; null if it is not selected.</param>
/// <param name="Fingerprint">Selects the compared values; null if <see cref="IdempotencyPolicy.Fingerprint"/> decides.</param>
/// <param name="FingerprintHeaders">The additional headers: in lower case and sorted, each once.</param>
internal sealed record PolicySelectors(Selector? Key, Selector? Fingerprint, string[] FingerprintHeaders)
{
    public static PolicySelectors None { get; } = new(null, null, []);

    /// <summary>The request headers that the selectors are known to read.</summary>
    public IReadOnlyCollection<string> Headers => [.. Key?.Headers ?? [], .. Fingerprint?.Headers ?? []];

    /// <exception cref="InvalidOperationException">One cannot be compiled: the message names the fix.</exception>
    public static PolicySelectors Of(IdempotencyPolicy policy, IIdempotencySelectorLanguage? language, string who) => new(
        policy.KeySelector is { } key ? new Selector(language, nameof(policy.KeySelector), key, who) : null,
        policy.FingerprintSelector is { } fingerprint ? new Selector(language, nameof(policy.FingerprintSelector), fingerprint, who) : null,
        [.. (policy.FingerprintHeaders ?? []).Select(static header => header.ToLowerInvariant()).Distinct().Order(StringComparer.Ordinal)]);

    /// <summary>The key of a request without a key header: the selected values, or the whole body.</summary>
    public Selection KeyOf(HttpContext context, RequestBody body) =>
        Key is not null ? Key.Of(context, body) : body.Bytes.IsEmpty ? default : new Selection(RequestIdentity.KeyOf(context, body));

    /// <returns>Whether there is a fingerprint; false if the compared values cannot be selected.</returns>
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
