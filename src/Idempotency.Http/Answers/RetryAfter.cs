namespace Idempotency.Http;

/// <summary>Reads <c>Retry-After</c> (RFC 9110 section 10.2.3).</summary>
/// <remarks>
/// <para>1. A number of seconds. A number beyond the range of the framework's parser still counts, as a very long delay.</para>
/// <para>2. A date: the time until then by the clock of the response's <c>Date</c>; without one, by the local clock. Never negative.</para>
/// <para>3. Anything else is ignored.</para>
/// </remarks>
internal static class RetryAfter
{
    public static TimeSpan? Of(HttpResponseMessage response, TimeProvider time)
    {
        if (response.Headers.RetryAfter is { } value)
        {
            return value.Delta ?? Later(value.Date!.Value - (response.Headers.Date ?? time.GetUtcNow()));
        }

        return response.Headers.NonValidated.TryGetValues("Retry-After", out var values) && values.Count == 1 && values.ToString().Trim() is { Length: > 0 } text
            && !text.AsSpan().ContainsAnyExceptInRange('0', '9')
            ? TimeSpan.MaxValue
            : null;
    }

    private static TimeSpan Later(TimeSpan span) => span > TimeSpan.Zero ? span : TimeSpan.Zero;
}
