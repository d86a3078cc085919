using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>The path of a request.</summary>
/// <remarks>
/// 1. Does the endpoint take part, and how? 2. Which request is this: key, body, fingerprint. 3. Who was here first? 4. Run once, or reject,
/// or 5. replay. How a step works is one file away; the chapters are the folders.
/// </remarks>
internal sealed class IdempotencyMiddleware(
    RequestDelegate next,
    EffectivePolicies policies,
    ClaimEngine engine,
    Telemetry telemetry,
    ILogger<IdempotencyMiddleware> logger)
{
    public Task InvokeAsync(HttpContext context)
    {
        // 1. Pass-through costs a metadata lookup: no state machine, no allocation.
        if (context.GetEndpoint() is not { } endpoint
            || !policies.Enabled
            || policies.Of(endpoint) is not { } policy
            || !policy.Covers(context.Request)
            // Registered twice, or a protected request that is run again inside itself: the outer claim covers it.
            || context.Features.Find<IIdempotencyFeature>() is not null)
        {
            return next(context);
        }

        // The application's error page, run in the place of the endpoint that failed: a part of that answer, not a request of its own.
        if (context.Features.Find<IExceptionHandlerFeature>() is not null || context.Features.Find<IStatusCodeReExecuteFeature>() is not null)
        {
            return RunUnguardedAsync(context);
        }

        if (UnsuitableEndpoints.IsGrpcCall(context))
        {
            Log.GrpcRefused(logger, endpoint.DisplayName);
            UnsuitableEndpoints.RejectGrpcCall(context.Response);
            return Task.CompletedTask;
        }

        return context.Response.HasStarted
            ? throw new InvalidOperationException("The response had started before UseIdempotency(): its answer could be neither recorded before it is told nor replayed. Start it later, or place the middleware that starts it after UseIdempotency().")
            : InvokeProtectedAsync(context, policy);
    }

    private async Task InvokeProtectedAsync(HttpContext context, IdempotencyPolicy policy)
    {
        // 2. The key of a header is judged before the body is read: a client that waits for 100 Continue is spared sending it.
        var header = policy.TakesKeyFromHeader ? context.Request.Headers[policy.HeaderName] : default;
        var key = "";
        if (header.Count > 0)
        {
            if (!IdempotencyKey.TryParse(header, out key, out var error))
            {
                await RejectAsync(context, IdempotencyProblem.KeyInvalid(policy.HeaderName, error));
                return;
            }
        }
        else if (!policy.TakesKeyFromContent)
        {
            await (policy.KeyRequired ? RejectAsync(context, IdempotencyProblem.KeyMissing(policy)) : RunWithoutKeyAsync(context));
            return;
        }

        RequestBody body;
        try
        {
            body = await RequestBody.ReadAsync(context, policy.MaxRequestBodySize);
        }
        catch (IOException exception)
        {
            // As the framework answers what it cannot read for a handler: the server's own limits have a status; a client that left needs none.
            context.Response.StatusCode = (exception as BadHttpRequestException)?.StatusCode ?? StatusCodes.Status400BadRequest;
            return;
        }

        if (body.IsTooLarge)
        {
            await RejectAsync(context, IdempotencyProblem.BodyTooLarge(policy.MaxRequestBodySize));
            return;
        }

        var selectors = policies.SelectorsOf(policy);
        var origin = KeyOrigin.Header;
        if (header.Count == 0)
        {
            var selected = selectors.KeyOf(context, body);
            if (selected.Hash is null)
            {
                await (selected.Error is { } inapplicable ? RejectAsync(context, IdempotencyProblem.SelectorInapplicable(inapplicable))
                    : policy.KeyRequired ? RejectAsync(context, IdempotencyProblem.KeyMissing(policy))
                    : RunWithoutKeyAsync(context, body));
                return;
            }

            key = selected.Hash;
            origin = selectors.Key is null ? KeyOrigin.Body : KeyOrigin.Selection;
        }

        var storeKey = RequestIdentity.StoreKeyOf(context, policy, key, origin);
        var known = engine.Recall(storeKey);
        if (known?.Request?.Equals(context, policy, body) == true)
        {
            // The very bytes that this answer was replayed to before: what they mean need not be worked out again.
            await ReplayAsync(context, policy, body, storeKey, known);
            return;
        }

        if (!selectors.TryFingerprint(context, policy, body, out var fingerprint, out var notValidated))
        {
            await RejectAsync(context, IdempotencyProblem.SelectorInapplicable(notValidated));
            return;
        }

        // 3. A claim outlives the client's patience unless the policy says otherwise; waiting for somebody else's answer never does.
        var decision = await engine.ClaimAsync(
            storeKey,
            fingerprint,
            policy,
            known,
            waiting: policy.WhenInProgress == InProgressBehavior.Wait ? context.RequestAborted : CancellationToken.None, // a server makes the token when it is asked for
            claiming: policy.CompleteAfterDisconnect ? CancellationToken.None : context.RequestAborted);

        // 4. and 5.
        await (decision.Outcome switch
        {
            ClaimOutcome.Acquired => RunAsync(context, body, decision.Claim!, key),
            ClaimOutcome.Completed => ReplayAsync(context, policy, body, storeKey, decision.Record!),
            ClaimOutcome.Reused => RejectAsync(context, IdempotencyProblem.KeyReused),
            ClaimOutcome.InProgress => RejectAsync(context, IdempotencyProblem.RequestInProgress),
            ClaimOutcome.OutcomeUnknown => RejectAsync(context, IdempotencyProblem.OutcomeUnknown),
            ClaimOutcome.Unreadable => RejectAsync(context, IdempotencyProblem.RecordUnreadable),
            _ when policy.WhenStoreUnavailable == StoreUnavailableBehavior.Execute => RunUnprotectedAsync(context, body, new UnprotectedRequest(key, storeKey, fingerprint, engine)),
            _ => RejectAsync(context, IdempotencyProblem.StoreUnavailable),
        });
    }

    private async Task RunAsync(HttpContext context, RequestBody body, OwnedClaim claim, string key)
    {
        Completion? completion;
        var retriesLeft = claim.Policy.TransactionRetries;
        try
        {
            do
            {
                body.GiveBackTo(context);
                completion = await new ProtectedRun(context, key, claim, policies.RulesOf(claim.Policy), engine, logger).RunAsync(next);
            }
            while (completion is { Outcome: CompletionOutcome.Conflict } && !claim.EffectsStarted && retriesLeft-- > 0);
        }
        catch
        {
            telemetry.RequestEnded(context, claim.EffectsStarted ? Telemetry.OutcomeUnknown : Telemetry.Failed);
            throw;
        }

        if (completion is { Outcome: CompletionOutcome.Superseded } superseded)
        {
            // We came back too late. The answer that counts is the recorded one, so that no retry contradicts what is told here.
            // The handler may have changed the request meanwhile: what it is now must not be recognised as what was asked.
            await (superseded.Record is { } record
                ? ReplayAsync(context, claim.Policy, requestBody: null, claim.Key, record)
                : RejectAsync(context, IdempotencyProblem.RequestInProgress));
            return;
        }

        if (completion is { Outcome: CompletionOutcome.Conflict or CompletionOutcome.Undone or CompletionOutcome.Unknown } undone)
        {
            if (undone.Outcome == CompletionOutcome.Conflict)
            {
                await engine.ReleaseAsync(claim);
            }

            // What was done outside the transaction is not undone with it.
            await RejectAsync(context, claim.EffectsStarted ? IdempotencyProblem.OutcomeUnknown : undone.Outcome switch
            {
                CompletionOutcome.Conflict => IdempotencyProblem.TransactionConflict,
                CompletionOutcome.Undone => IdempotencyProblem.StoreUnavailable,
                _ => IdempotencyProblem.CommitUnknown,
            });
            return;
        }

        telemetry.RequestEnded(context, completion?.Outcome switch
        {
            null => claim.EffectsStarted ? Telemetry.OutcomeUnknown : Telemetry.Released,
            CompletionOutcome.Recorded => Telemetry.Executed,
            _ => Telemetry.NotRecorded,
        });
    }

    private async Task ReplayAsync(HttpContext context, IdempotencyPolicy policy, RequestBody? requestBody, Sha256Hash storeKey, CompletedRecord record)
    {
        var stored = record.Decoded as StoredResponse;
        var hasGrown = stored is null;
        if (stored is null)
        {
            if (StoredResponse.Decode(record.Payload, out var reason) is not { } decoded)
            {
                Log.RecordUnreadable(logger, storeKey, reason, null);
                await RejectAsync(context, IdempotencyProblem.RecordUnreadable);
                return;
            }

            record.Decoded = stored = decoded;
            record.Request = requestBody is { } asked ? SeenRequest.Of(context, policy, asked) : null;
        }

        var isBodyNew = false;
        var body = stored.IsBodyKept ? stored.BodyWith(policies.RulesOf(policy).Flag, out isBodyNew) : default;
        if (hasGrown || isBodyNew)
        {
            engine.LocalCache.Set(storeKey, record); // what was worked out for this replay is kept for the next, and counted
        }

        if (!stored.IsBodyKept)
        {
            await RejectAsync(context, IdempotencyProblem.ResponseUnavailable);
            return;
        }

        if (!record.IsRecorded)
        {
            context.Response.Headers[IdempotencyHeaders.Stored] = "false"; // as the first answer said
        }

        telemetry.RequestEnded(context, Telemetry.Replayed);
        Log.Replayed(logger, storeKey);
        await ResponseReplay.WriteAsync(context, policy, policies.RulesOf(policy), stored, body, engine.LocalCache.RetentionLeft(record));
    }

    private Task RunUnprotectedAsync(HttpContext context, RequestBody body, UnprotectedRequest run)
    {
        body.GiveBackTo(context);
        telemetry.RequestEnded(context, Telemetry.Unprotected);
        Log.RunsUnprotected(logger, context.Request.Method, context.Request.Path);
        context.Response.Headers[IdempotencyHeaders.Stored] = "false";
        context.Features.Set<IIdempotencyFeature>(run);
        return next(context);
    }

    private Task RunWithoutKeyAsync(HttpContext context, RequestBody body = default)
    {
        body.GiveBackTo(context);
        telemetry.RequestEnded(context, Telemetry.WithoutKey);
        return RunUnguardedAsync(context);
    }

    private Task RunUnguardedAsync(HttpContext context)
    {
        context.Features.Set(UnprotectedRun.Allowed);
        return next(context);
    }

    private Task RejectAsync(HttpContext context, IdempotencyProblem problem)
    {
        telemetry.RequestEnded(context, problem.Code);
        return ProblemWriter.WriteAsync(context, problem, logger);
    }
}
