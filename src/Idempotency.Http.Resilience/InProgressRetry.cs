using Polly.Retry;
using Polly.Timeout;

namespace Idempotency.Http;

/// <summary>Retries while the service responds that the request is in progress. The total timeout, outside of it, ends it.</summary>
internal static class InProgressRetry
{
    public static RetryStrategyOptions<HttpResponseMessage> WithinTotal(TimeoutStrategyOptions total, TimeProvider time) => new()
    {
        Name = "Idempotency-InProgress",
        MaxRetryAttempts = int.MaxValue,
        ShouldHandle = async args => await RetryVerdicts.OfAsync(
            args.Context, args.Outcome, static _ => ValueTask.FromResult(false), total.Timeout, time).ConfigureAwait(false) == RetryVerdict.InProgress,
        DelayGenerator = args => ValueTask.FromResult<TimeSpan?>(RetryDelay.InProgress(args.Outcome.Result!, time)),
    };
}
