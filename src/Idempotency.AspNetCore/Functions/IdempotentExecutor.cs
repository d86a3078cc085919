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
        return CallIdentity.Of(operation, key, options, policy, policies.SelectorsOf(policy), policies.Enabled);
    }

    private async Task<T> ExecuteOnceAsync<T>(string operation, IdempotentCallKey key, Func<IIdempotentRun, CancellationToken, Task<T>> work, ResultFormat<T> format, IdempotentCallOptions? options, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(operation);
        ArgumentException.ThrowIfNullOrWhiteSpace(key.Text, nameof(key));
        cancellationToken.ThrowIfCancellationRequested();

        // 1.
        var policy = policies.Of(operation, options?.PolicyName);

        // 2.
        var (text, storeKey, fingerprint) = CallIdentity.Of(operation, key, options, policy, policies.SelectorsOf(policy), policies.Enabled);
        if (!policies.Enabled)
        {
            return await work(new FunctionRun(text ?? "", storeKey, fingerprint, claim: null, engine), cancellationToken);
        }

        if (policy.Transaction == IdempotencyTransaction.SameAsHandler && options?.Services is null)
        {
            throw new InvalidOperationException($"The policy of '{operation}' has the {nameof(policy.Transaction)} {nameof(IdempotencyTransaction.SameAsHandler)}, but the call does not say in which scope its work finds its unit of work. Set {nameof(IdempotentCallOptions)}.{nameof(IdempotentCallOptions.Services)} to that scope's services.");
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
                return await RunAsync(operation, text, work, format, decision.Claim!, options?.Services ?? NoServices.Instance, cancellationToken);
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

    private async Task<T> RunAsync<T>(string operation, string key, Func<IIdempotentRun, CancellationToken, Task<T>> work, ResultFormat<T> format, OwnedClaim claim, IServiceProvider services, CancellationToken cancellationToken)
    {
        var retriesLeft = claim.Policy.TransactionRetries;
        T? result;
        Completion completion;
        do
        {
            (result, completion) = await RunOnceAsync(operation, key, work, format, claim, services, cancellationToken);
        }
        while (completion.Outcome == CompletionOutcome.Conflict && !claim.EffectsStarted && retriesLeft-- > 0);

        switch (completion.Outcome)
        {
            case CompletionOutcome.Superseded:
                // We came back too late. The result that counts is the recorded one, so that no other call contradicts what is told here.
                return completion.Record is { } record ? Replay(operation, claim.Key, format, record) : throw Refused(operation, InProgress(operation));
            case CompletionOutcome.Conflict or CompletionOutcome.Undone or CompletionOutcome.Unknown:
                if (completion.Outcome == CompletionOutcome.Conflict)
                {
                    await engine.ReleaseAsync(claim);
                }

                throw Refused(operation, Undone(operation, claim, completion.Outcome));
            case CompletionOutcome.NotRecorded:
                engine.Leave(claim);
                break;
        }

        telemetry.CallEnded(operation, completion.Outcome == CompletionOutcome.Recorded ? Telemetry.Executed : Telemetry.NotRecorded);
        return result!; // the work has returned it
    }

    private async Task<(T? Result, Completion Completion)> RunOnceAsync<T>(string operation, string key, Func<IIdempotentRun, CancellationToken, Task<T>> work, ResultFormat<T> format, OwnedClaim claim, IServiceProvider services, CancellationToken cancellationToken)
    {
        try
        {
            if (claim.IsTransactional && !await engine.TryBeginAsync(claim, services))
            {
                return (default, new Completion(CompletionOutcome.Undone));
            }

            var result = await work(new FunctionRun(key, claim.Key, claim.Fingerprint, claim, engine), cancellationToken);
            return (result, await engine.CompleteAsync(claim, Encode(operation, format, claim, result)));
        }
        catch (Exception exception) when (claim.Transaction?.IsConflict(exception) == true)
        {
            Log.TransactionConflict(logger, claim.Key, exception);
            await ClaimEngine.RollBackAsync(claim);
            return (default, new Completion(CompletionOutcome.Conflict));
        }
        catch
        {
            await engine.ReleaseAsync(claim);
            telemetry.CallEnded(operation, claim.EffectsStarted ? Telemetry.OutcomeUnknown : Telemetry.Failed);
            throw;
        }
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

    // What was done outside the transaction is not undone with it.
    private static IdempotencyException Undone(string operation, OwnedClaim claim, CompletionOutcome outcome) => outcome switch
    {
        _ when claim.EffectsStarted => new IdempotencyOutcomeUnknownException($"The transaction of '{operation}' was undone after effects outside it had begun, and it is not run again. Find out what became of them."),
        CompletionOutcome.Conflict => new IdempotencyTransactionConflictException($"The database has undone the transaction of '{operation}' in favour of another. Nothing was done; call again.") { RetryAfter = WhileInProgress },
        CompletionOutcome.Undone => new IdempotencyStoreUnavailableException($"The transaction of '{operation}' could not be begun or committed. Nothing was done; call again.") { RetryAfter = WhileStoreIsAway },
        _ => new IdempotencyStoreUnavailableException($"It is not known at the moment whether the transaction of '{operation}' was committed. Call again: the result is there if it was, and the work is run if it was not.") { RetryAfter = WhileStoreIsAway },
    };

    // Without a hint when to call again: waiting does not mend a record.
    private static IdempotencyStoreUnavailableException Unreadable(string operation, Exception? error) =>
        new($"There is an idempotency record of '{operation}' with this key, but it cannot be read: it is damaged, or of a newer version of the library. Nothing was run, because it may stand for an effect. The log has the reason.", error);

    /// <summary>For the work of every policy that needs none.</summary>
    private sealed class NoServices : IServiceProvider
    {
        public static NoServices Instance { get; } = new();

        public object? GetService(Type serviceType) => null;
    }
}
