using System.Collections.Frozen;

namespace Idempotency.Http;

/// <summary>Adds the key header to a request.</summary>
/// <remarks>
/// <para>The rules, in order:</para>
/// <para>1. A safe method (RFC 9110 section 9.2.1) gets no key, because it has no effect.</para>
/// <para>2. A request that the caller excluded gets no key.</para>
/// <para>3. An existing header is not changed: it is the caller's, or that of an earlier attempt with the same message.</para>
/// <para>4. A known key of the logical request is used: the caller's, or that of an earlier attempt with a different message.</para>
/// <para>5. A method that is configured to have keys gets a new one.</para>
/// </remarks>
internal sealed class KeyHeader(IdempotencyKeyOptions options)
{
    // QUERY is the safe method with a body of draft-ietf-httpbis-safe-method-w-body.
    private static readonly FrozenSet<string> SafeMethods = new[] { "GET", "HEAD", "OPTIONS", "TRACE", "QUERY" }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private readonly string _name = options.HeaderName;
    private readonly IdempotencyKeyFormat _format = options.Format;
    private readonly FrozenSet<HttpMethod> _methods = options.Methods.ToFrozenSet();
    private readonly Func<HttpRequestMessage, string> _generate = options.GenerateKey;

    public static bool IsSafe(HttpMethod method) => SafeMethods.Contains(method.Method);

    /// <returns>Whether the request has a key.</returns>
    public bool Stamp(HttpRequestMessage request)
    {
        var logical = LogicalRequest.Find(request);
        if (IsSafe(request.Method) || logical is { IsExcluded: true })
        {
            return false;
        }

        if (request.Headers.NonValidated.TryGetValues(_name, out var values))
        {
            (logical ?? LogicalRequest.Of(request)).Key = KeyText.Read(values.ToString());
            return true;
        }

        if (logical?.Key is not { } key)
        {
            if (!_methods.Contains(request.Method))
            {
                return false;
            }

            key = (logical ?? LogicalRequest.Of(request)).KeyOr(Generate(request));
        }

        request.Headers.TryAddWithoutValidation(_name, Format(key));
        return true;
    }

    private string Generate(HttpRequestMessage request)
    {
        var key = _generate(request);
        return KeyText.IsKey(key, out var error) ? key : throw new InvalidOperationException(
            $"{nameof(IdempotencyKeyOptions)}.{nameof(IdempotencyKeyOptions.GenerateKey)} returned an invalid idempotency key: {error}. "
            + $"Return 1 to {KeyText.MaxLength} characters of printable ASCII, for example a UUID.");
    }

    private string Format(string key) =>
        _format == IdempotencyKeyFormat.Quoted ? KeyText.Quote(key)
        : KeyText.CanStandBare(key) ? key
        : throw new InvalidOperationException(
            "The idempotency key contains a quotation mark, a comma or a semicolon, or starts or ends with a space, and cannot be sent in bare form. "
            + $"Set {nameof(IdempotencyKeyOptions)}.{nameof(IdempotencyKeyOptions.Format)} to {nameof(IdempotencyKeyFormat)}.{nameof(IdempotencyKeyFormat.Quoted)}, or use a different key.");
}
