using System.Net;
using Polly;

namespace Idempotency.Http;

/// <summary>Decides whether a request is sent again.</summary>
/// <remarks>
/// <para>The rules, in order:</para>
/// <para>1. A request that the caller excluded (<c>DisableIdempotencyKey</c>) is sent once.</para>
/// <para>2. Without a key, a request with an idempotent method (RFC 9110 section 9.2.2) follows the standard rules, and can be in progress too if the
/// service takes the key from the body; any other is sent once.</para>
/// <para>3. Errors follow the standard rules, except connection errors that would repeat (<see cref="RetryRules"/>).</para>
/// <para>4. With a key, responses follow <see cref="RetryRules"/>.</para>
/// <para>5. A response that asks for a longer delay than the timeout of the whole request is final, because it would be lost.</para>
/// </remarks>
internal static class RetryVerdicts
{
    public static async ValueTask<RetryVerdict> OfAsync(
        ResilienceContext context, Outcome<HttpResponseMessage> outcome, Func<Outcome<HttpResponseMessage>, ValueTask<bool>> isTransient, TimeSpan total, TimeProvider time)
    {
        if (!MayBeSentAgain(context))
        {
            return RetryVerdict.Final;
        }

        var hasKey = RequestOf(context)?.GetIdempotencyKey() is not null;
        if (outcome.Result is not { } response || !(hasKey || response.StatusCode == HttpStatusCode.Conflict))
        {
            var passes = outcome.Exception is not HttpRequestException error || RetryRules.IsRetried(error);
            return passes && await isTransient(outcome).ConfigureAwait(false) ? RetryVerdict.Retry : RetryVerdict.Final;
        }

        var problem = await response.ReadProblemAsync(context.CancellationToken).ConfigureAwait(false);
        return !RetryRules.IsRetried(response, problem) || RetryAfter.Of(response, time) > total ? RetryVerdict.Final
            : response.StatusCode == HttpStatusCode.Conflict ? RetryVerdict.InProgress
            : RetryVerdict.Retry;
    }

    /// <summary>Rules 1 and 2: whether a second attempt does no harm.</summary>
    public static bool MayBeSentAgain(ResilienceContext context) =>
        RequestOf(context) is { } request
        && LogicalRequest.Find(request) is not { IsExcluded: true }
        && (request.GetIdempotencyKey() is not null || KeyHeader.IsSafe(request.Method) || request.Method == HttpMethod.Put || request.Method == HttpMethod.Delete);

#pragma warning disable EXTEXP0001 // Marked as experimental, but the only way from a strategy to its request. Tests notice if it goes.
    private static HttpRequestMessage? RequestOf(ResilienceContext context) => context.GetRequestMessage();
#pragma warning restore EXTEXP0001
}
