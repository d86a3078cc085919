using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>The path of a request.</summary>
/// <remarks>
/// 1. Resolve the policy of the endpoint. 2. Identify the request: key, body, fingerprint. 3. Claim the key. 4. Run once, or reject,
/// or 5. replay. How a step works is one file away; the chapters are the folders.
/// </remarks>
internal sealed class IdempotencyMiddleware(
    RequestDelegate next,
    PolicyResolver policies,
    RequestIdentifier identifier,
    Claims claims,
    RequestExecutor executor,
    ResponseReplay replays,
    Rejections rejections)
{
    public Task InvokeAsync(HttpContext context)
    {
        // 1. Pass-through costs a metadata lookup: no state machine, no allocation.
        if (context.GetEndpoint() is not { } endpoint
            || !policies.Enabled
            || policies.Of(endpoint) is not { } policy
            || !policy.Covers(context.Request)
            // Registered twice, or a protected request that runs again inside itself: the outer claim covers it.
            || context.Features.Find<IIdempotencyFeature>() is not null)
        {
            return next(context);
        }

        // The application's error page, which runs in place of the failed endpoint: part of that response, not a request of its own.
        if (context.Features.Find<IExceptionHandlerFeature>() is not null || context.Features.Find<IStatusCodeReExecuteFeature>() is not null)
        {
            return RequestExecutor.BypassAsync(context, next);
        }

        if (UnsuitableEndpoints.IsGrpcCall(context))
        {
            return rejections.RejectGrpcAsync(context);
        }

        return context.Response.HasStarted
            ? throw new InvalidOperationException("The response had already started before UseIdempotency(), so it can be neither recorded nor replayed. Place the middleware that starts the response after UseIdempotency().")
            : InvokeProtectedAsync(context, policy);
    }

    private async Task InvokeProtectedAsync(HttpContext context, IdempotencyPolicy policy)
    {
        // 2. Identify the request.
        var identification = await identifier.IdentifyAsync(context, policy);
        if (identification.Request is not { } request)
        {
            await (identification.Problem is { } unidentified ? rejections.RejectAsync(context, unidentified)
                : identification.WithoutKey is { } body ? executor.RunWithoutKeyAsync(context, body, next)
                : Rejections.RejectUnreadableBodyAsync(context, identification.UnreadableBodyStatus!.Value));
            return;
        }

        // 5. immediately: the same bytes that this record was last replayed to have the same fingerprint.
        var known = claims.Recall(request.StoreKey);
        if (known is not null && ResponseReplay.IsRepeated(known, context, policy, request.Body) && !AntiforgeryCheck.HasFailed(context))
        {
            await replays.ReplayAsync(context, policy, request.Body, request.StoreKey, known);
            return;
        }

        if (identifier.TryFingerprint(context, policy, request, out var fingerprint) is { } inapplicable)
        {
            await rejections.RejectAsync(context, inapplicable);
            return;
        }

        // 3. The claim continues if the client disconnects, unless the policy says otherwise; waiting for another request's response does not.
        var decision = await claims.ClaimAsync(
            new ClaimRequest(request.StoreKey, fingerprint, policy),
            known,
            waiting: policy.WhenInProgress == InProgressBehavior.Wait ? context.RequestAborted : CancellationToken.None, // a server creates the token when it is read
            claiming: policy.CompleteAfterDisconnect ? CancellationToken.None : context.RequestAborted);

        // 4. and 5.
        await (decision.Outcome switch
        {
            ClaimOutcome.Acquired => executor.RunAsync(context, request, decision.Claim!, next),
            _ when AntiforgeryCheck.HasFailed(context) => rejections.RejectForgeryAsync(context),
            ClaimOutcome.Completed => replays.ReplayAsync(context, policy, request.Body, request.StoreKey, decision.Record!),
            ClaimOutcome.StoreUnavailable when policy.WhenStoreUnavailable == StoreUnavailableBehavior.Execute => executor.RunUnprotectedAsync(context, request, fingerprint, next),
            _ => rejections.RejectAsync(context, decision.Problem!),
        });
    }
}
