namespace Idempotency.Http;

/// <summary>When the next attempt may begin, if at all.</summary>
internal sealed class RetrySchedule(IdempotencyRetryOptions options)
{
    private readonly int _maxAttempts = options.MaxAttempts;
    private readonly TimeSpan _attemptTimeout = options.AttemptTimeout;
    private readonly TimeSpan _maxDuration = options.MaxDuration;
    private readonly TimeSpan _baseDelay = options.BaseDelay;
    private readonly TimeSpan _maxDelay = options.MaxDelay;
    private readonly TimeSpan _maxRetryAfter = options.MaxRetryAfter;

    public long MaxBufferedResponseSize { get; } = options.MaxBufferedResponseSize;

    /// <summary>How long an attempt may take that begins after so much time; null for as long as it likes.</summary>
    public TimeSpan? LimitOfAttempt(TimeSpan elapsed)
    {
        // Zero, when a timer came late: the attempt then ends at once.
        TimeSpan? left = _maxDuration == Timeout.InfiniteTimeSpan ? null : _maxDuration > elapsed ? _maxDuration - elapsed : TimeSpan.Zero;
        return _attemptTimeout == Timeout.InfiniteTimeSpan || left < _attemptTimeout ? left : _attemptTimeout;
    }

    /// <summary>
    /// The wait before the next attempt: what the server asks for, and a random time on top. Null, and why, when there is to be none: it would be one too many, earlier
    /// than the server wants it, or after the time for everything is over.
    /// </summary>
    public TimeSpan? WaitAfter(int attempt, TimeSpan? retryAfter, TimeSpan elapsed, out string end)
    {
        end = attempt >= _maxAttempts ? $"{nameof(IdempotencyRetryOptions.MaxAttempts)} is reached"
            : retryAfter > _maxRetryAfter ? $"Retry-After is more than {nameof(IdempotencyRetryOptions.MaxRetryAfter)}"
            : "";
        if (end.Length > 0)
        {
            return null;
        }

        var wait = (retryAfter ?? TimeSpan.Zero) + Jitter(attempt);
        if (_maxDuration != Timeout.InfiniteTimeSpan && elapsed + wait >= _maxDuration)
        {
            end = $"{nameof(IdempotencyRetryOptions.MaxDuration)} is reached";
            return null;
        }

        return wait;
    }

    private TimeSpan Jitter(int attempt)
    {
        var ceiling = Math.Min(_maxDelay.Ticks, _baseDelay.Ticks * Math.Pow(2, attempt - 1));
        return TimeSpan.FromTicks((long)(Random.Shared.NextDouble() * ceiling));
    }
}
