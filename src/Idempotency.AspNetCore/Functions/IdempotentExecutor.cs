using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>The path of a call: the middleware's, less HTTP.</summary>
/// <remarks>1. By which policy? 2. Which call is this: key and payload. 3. Who was here first? 4. Run once, or refuse, or 5. give the result again.</remarks>
internal sealed class IdempotentExecutor(EffectivePolicies policies, ClaimEngine engine, Telemetry telemetry, ILogger<IdempotentExecutor> logger) : IIdempotentExecutor
{
    // As long as a client is told to wait over HTTP.
    private static readonly TimeSpan WhileInProgress = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WhileStoreIsAway = TimeSpan.FromSeconds(5);

    [RequiresUnreferencedCode(IdempotentPayload.Reflects)]
    [RequiresDynamicCode(IdempotentPayload.Reflects)]
    public Task<T> ExecuteAsync<T>(string operation, IdempotentCallKey key, Func<IIdempotentRun, CancellationToken, Task<T>> work, IdempotentCallOptions? options = null, CancellationToken cancellationToken = default)
    {
        // Before anything runs: a type that cannot be written is a mistake to be told of while there is no effect.
        var serializer = options?.SerializerOptions ?? IdempotentPayload.DefaultSerializer;
        serializer.MakeReadOnly(populateMissingResolver: true);
        return ExecuteAsync(operation, key, work, (JsonTypeInfo<T>)serializer.GetTypeInfo(typeof(T)), options, cancellationToken);
    }

    public Task<T> ExecuteAsync<T>(string operation, IdempotentCallKey key, Func<IIdempotentRun, CancellationToken, Task<T>> work, JsonTypeInfo<T> resultType, IdempotentCallOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        ArgumentNullException.ThrowIfNull(resultType);
        return ExecuteOnceAsync(operation, key, work, new JsonResultFormat<T>(resultType), options, cancellationToken);
    }

    public Task ExecuteAsync(string operation, IdempotentCallKey key, Func<IIdempotentRun, CancellationToken, Task> work, IdempotentCallOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return ExecuteOnceAsync(
            operation,
            key,
            async (run, cancellation) =>
            {
                await work(run, cancellation);
                return default(NoResult);
            },
            NoResultFormat.Instance,
            options,
            cancellationToken);
    }

    /// <summary>Which call this would be.</summary>
    internal CallIdentity Identify(string operation, IdempotentCallKey key, IdempotentCallOptions? options)
    {
        var policy = policies.Of(operation, options?.PolicyName);
        return CallIdentity.Of(operation, key, options, policy, policies.SelectorsOf(policy));
    }

    private async Task<T> ExecuteOnceAsync<T>(string operation, IdempotentCallKey key, Func<IIdempotentRun, CancellationToken, Task<T>> work, ResultFormat<T> format, IdempotentCallOptions? options, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(operation);
        ArgumentException.ThrowIfNullOrWhiteSpace(key.Text, nameof(key));
        cancellationToken.ThrowIfCancellationRequested();

        // 1.
        var policy = policies.Of(operation, options?.PolicyName);

        // 2.
        var (text, storeKey, fingerprint) = CallIdentity.Of(operation, key, options, policy, policies.SelectorsOf(policy));
        if (!policies.Enabled)
        {
            return await work(new FunctionRun(text ?? "", storeKey, fingerprint, claim: null, engine), cancellationToken);
        }

        if (text is null)
        {
            telemetry.CallEnded(operation, Telemetry.WithoutKey);
            return await work(new FunctionRun("", storeKey, fingerprint, claim: null, engine), cancellationToken);
        }

        // 3. Nobody else is served by a claim that the caller has given up.
        var decision = await engine.ClaimAsync(storeKey, fingerprint, policy, engine.Recall(storeKey), waiting: cancellationToken, claiming: cancellationToken);

        // 4. and 5.
        switch (decision.Outcome)
        {
            case ClaimOutcome.Acquired:
                return await RunAsync(operation, text, work, format, decision.Claim!, cancellationToken);
            case ClaimOutcome.Completed:
                return Replay(operation, storeKey, format, decision.Record!);
            case ClaimOutcome.Reused:
                throw Refused(operation, new IdempotencyKeyReusedException($"The key was used for another call of '{operation}', with another payload. Give this one a key of its own; to repeat the first, repeat its payload."));
            case ClaimOutcome.InProgress:
                throw Refused(operation, InProgress(operation));
            case ClaimOutcome.OutcomeUnknown:
                throw Refused(operation, new IdempotencyOutcomeUnknownException($"An earlier attempt of '{operation}' with this key ended without a result, and it is not run again. Find out what became of it."));
            case ClaimOutcome.Unreadable:
                throw Refused(operation, Unreadable(operation, decision.Error));
            default:
                if (policy.WhenStoreUnavailable == StoreUnavailableBehavior.Execute)
                {
                    telemetry.CallEnded(operation, Telemetry.Unprotected);
                    Log.RunsUnprotected(logger, "Function", operation);
                    return await work(new FunctionRun(text, storeKey, fingerprint, claim: null, engine), cancellationToken);
                }

                throw Refused(operation, new IdempotencyStoreUnavailableException($"The idempotency store could not be asked about '{operation}'. Nothing was run; call again.", decision.Error) { RetryAfter = WhileStoreIsAway });
        }
    }

    private async Task<T> RunAsync<T>(string operation, string key, Func<IIdempotentRun, CancellationToken, Task<T>> work, ResultFormat<T> format, OwnedClaim claim, CancellationToken cancellationToken)
    {
        T result;
        try
        {
            result = await work(new FunctionRun(key, claim.Key, claim.Fingerprint, claim, engine), cancellationToken);
        }
        catch
        {
            await engine.ReleaseAsync(claim);
            telemetry.CallEnded(operation, claim.EffectsStarted ? Telemetry.OutcomeUnknown : Telemetry.Failed);
            throw;
        }

        var completion = await engine.CompleteAsync(claim, Encode(operation, format, claim, result));
        if (completion.Outcome == CompletionOutcome.Superseded)
        {
            // We came back too late. The result that counts is the recorded one, so that no other call contradicts what is told here.
            return completion.Record is { } record ? Replay(operation, claim.Key, format, record) : throw Refused(operation, InProgress(operation));
        }

        if (completion.Outcome == CompletionOutcome.NotRecorded)
        {
            engine.Leave(claim);
        }

        telemetry.CallEnded(operation, completion.Outcome == CompletionOutcome.Recorded ? Telemetry.Executed : Telemetry.NotRecorded);
        return result;
    }

    /// <summary>The result as it is kept. Never throws: the work is done, and must not be done again because of what came of it.</summary>
    private byte[] Encode<T>(string operation, ResultFormat<T> format, OwnedClaim claim, T result)
    {
        try
        {
            var payload = format.Write(result, engine.Store.CompressionThreshold, out var size);
            if (size <= claim.Policy.MaxResponseBodySize && payload.Length <= engine.Store.MaxPayloadSize)
            {
                return payload;
            }

            Log.ResultNotKept(logger, claim.Key, operation, size);
        }
        catch (Exception exception)
        {
            Log.ResultNotSerialized(logger, claim.Key, operation, exception);
        }

        return StoredResult.Encode(ResultKind.NotKept);
    }

    private T Replay<T>(string operation, Sha256Hash storeKey, ResultFormat<T> format, CompletedRecord record)
    {
        if (record.Decoded is not StoredResult stored)
        {
            if (StoredResult.Decode(record.Payload, out var reason) is not { } decoded)
            {
                Log.RecordUnreadable(logger, storeKey, reason, null);
                throw Refused(operation, Unreadable(operation, null));
            }

            record.Decoded = stored = decoded;
            engine.LocalCache.Set(storeKey, record); // what was worked out now is kept for the next, and counted
        }

        T result;
        try
        {
            result = format.Read(stored, operation);
        }
        catch (IdempotencyException unavailable)
        {
            telemetry.CallEnded(operation, unavailable.Code);
            throw;
        }

        telemetry.CallEnded(operation, Telemetry.Replayed);
        Log.Replayed(logger, storeKey);
        return result;
    }

    private IdempotencyException Refused(string operation, IdempotencyException why)
    {
        telemetry.CallEnded(operation, why.Code);
        return why;
    }

    private static IdempotencyInProgressException InProgress(string operation) =>
        new($"The first call of '{operation}' with this key is still running. Call again in a moment, to get its result.") { RetryAfter = WhileInProgress };

    // Without a hint when to call again: waiting does not mend a record.
    private static IdempotencyStoreUnavailableException Unreadable(string operation, Exception? error) =>
        new($"There is an idempotency record of '{operation}' with this key, but it cannot be read: it is damaged, or of a newer version of the library. Nothing was run, because it may stand for an effect. The log has the reason.", error);
}
