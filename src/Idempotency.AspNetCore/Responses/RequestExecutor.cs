using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Runs the handler of a request: once under its claim, or without a claim if the policy allows it.</summary>
internal sealed class RequestExecutor(RunOnce runOnce, ResponseRulesCache rules, StoreCalls store, ResponseReplay replays, Rejections rejections, Telemetry telemetry, ILogger<RequestExecutor> logger)
{
    /// <summary>Runs the handler of a claim, and sends the response that counts.</summary>
    public async Task RunAsync(HttpContext context, IdentifiedRequest request, OwnedClaim claim, RequestDelegate handler)
    {
        Completion completion;
        try
        {
            completion = await new RequestExecution(context, request.Key, request.Body, claim, handler, rules.Of(claim.Policy), store, logger).RunAsync(runOnce);
        }
        catch
        {
            telemetry.RequestEnded(context, claim.IsOutcomeUnknown ? Telemetry.OutcomeUnknown : Telemetry.Failed);
            throw;
        }

        if (completion.Record is { } record)
        {
            // The claim was lost, so the recorded response counts, and no retry contradicts this one.
            request.Body.GiveBackTo(context); // AuthorizeReplay can read it
            await replays.ReplayAsync(context, claim.Policy, requestBody: null, claim.Key, record);
        }
        else if (completion.Problem is { } problem)
        {
            await rejections.RejectAsync(context, problem);
        }
        else
        {
            telemetry.RequestEnded(context, completion.Outcome switch
            {
                CompletionOutcome.Recorded => Telemetry.Executed,
                CompletionOutcome.NotRecorded => Telemetry.NotRecorded,
                _ => completion.EffectsStarted ? Telemetry.OutcomeUnknown : Telemetry.Released,
            });
        }
    }

    /// <summary>Runs the handler without a claim: the store is unavailable, and the policy allows it.</summary>
    public Task RunUnprotectedAsync(HttpContext context, IdentifiedRequest request, Fingerprint fingerprint, RequestDelegate handler)
    {
        request.Body.GiveBackTo(context);
        telemetry.RequestEnded(context, Telemetry.Unprotected);
        Log.RunsUnprotected(logger, context.Request.Method, context.Request.Path);
        context.Response.Headers[IdempotencyHeaders.Stored] = "false";
        context.Features.Set<IIdempotencyFeature>(new UnclaimedRun(request.Key, request.StoreKey, fingerprint));
        return handler(context);
    }

    /// <summary>Runs the handler of a request that has no key and needs none.</summary>
    public Task RunWithoutKeyAsync(HttpContext context, RequestBody body, RequestDelegate handler)
    {
        body.GiveBackTo(context);
        telemetry.RequestEnded(context, Telemetry.WithoutKey);
        return BypassAsync(context, handler);
    }

    /// <summary>Runs the handler of a request that is not to be protected, and records that for the guard of protected endpoints.</summary>
    public static Task BypassAsync(HttpContext context, RequestDelegate handler)
    {
        context.Features.Set(IdempotencyBypassed.Instance);
        return handler(context);
    }
}
