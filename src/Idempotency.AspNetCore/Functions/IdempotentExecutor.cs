using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>The path of a call: that of the middleware, without HTTP.</summary>
/// <remarks>1. Resolve the policy. 2. Identify the call: key and payload. 3. Claim the key. 4. Run once, or reject, or 5. replay.</remarks>
internal sealed class IdempotentExecutor(
    PolicyResolver policies,
    PolicySelectorCache selectors,
    Claims claims,
    RunOnce runOnce,
    CompletedRecords completed,
    StoreCalls store,
    Telemetry telemetry,
    Incidents incidents,
    ILogger<IdempotentExecutor> logger) : IIdempotentExecutor
{
    // The same time that HTTP clients are asked to wait.
    private static readonly TimeSpan WhileInProgress = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WhileStoreIsAway = TimeSpan.FromSeconds(5);

    [RequiresUnreferencedCode(JsonResults.Reflects)]
    [RequiresDynamicCode(JsonResults.Reflects)]
    public Task<T> ExecuteAsync<T>(string operation, IdempotentCallKey key, Func<IIdempotentRun, CancellationToken, Task<T>> work, IdempotentCallOptions? options = null, CancellationToken cancellationToken = default)
    {
        // Before anything runs, so that a type that cannot be serialized fails while there is no effect.
        return ExecuteAsync(operation, key, work, JsonResults.TypeInfo<T>(options?.SerializerOptions), options, cancellationToken);
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

    /// <summary>Identifies a call without making it.</summary>
    internal CallIdentity Identify(string operation, IdempotentCallKey key, IdempotentCallOptions? options)
    {
        var policy = policies.Of(operation, options?.PolicyName);
        return CallIdentity.Of(operation, key, options, policy, selectors.Of(policy), policies.Enabled);
    }

    private async Task<T> ExecuteOnceAsync<T>(string operation, IdempotentCallKey key, Func<IIdempotentRun, CancellationToken, Task<T>> work, ResultFormat<T> format, IdempotentCallOptions? options, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(operation);
        ArgumentException.ThrowIfNullOrWhiteSpace(key.Text, nameof(key));
        cancellationToken.ThrowIfCancellationRequested();

        // 1.
        var policy = policies.Of(operation, options?.PolicyName);

        // 2.
        var (text, storeKey, fingerprint) = CallIdentity.Of(operation, key, options, policy, selectors.Of(policy), policies.Enabled);
        if (!policies.Enabled)
        {
            return await work(new UnclaimedRun(text ?? "", storeKey, fingerprint), cancellationToken);
        }

        if (policy.Transaction == IdempotencyTransaction.SameAsHandler && options?.Services is null)
        {
            throw new InvalidOperationException($"The policy of '{operation}' sets {nameof(policy.Transaction)} to {nameof(IdempotencyTransaction.SameAsHandler)}, but the call does not specify the service scope that its work uses. Set {nameof(IdempotentCallOptions)}.{nameof(IdempotentCallOptions.Services)} to the services of that scope.");
        }

        if (text is null)
        {
            telemetry.CallEnded(operation, Telemetry.WithoutKey);
            return await work(new UnclaimedRun("", storeKey, fingerprint), cancellationToken);
        }

        // 3. If the caller cancels the claim, nobody else can use it.
        var decision = await claims.ClaimAsync(new ClaimRequest(storeKey, fingerprint, policy), claims.Recall(storeKey), waiting: cancellationToken, claiming: cancellationToken);

        // 4. and 5.
        switch (decision.Outcome)
        {
            case ClaimOutcome.Acquired:
                return await RunAsync(operation, decision.Claim!, new Call<T>(this, operation, text, work, format, decision.Claim!, options?.Services, cancellationToken));
            case ClaimOutcome.Completed:
                return Replay(operation, storeKey, format, decision.Record!);
            case ClaimOutcome.StoreUnavailable when policy.WhenStoreUnavailable == StoreUnavailableBehavior.Execute:
                telemetry.CallEnded(operation, Telemetry.Unprotected);
                Log.RunsUnprotected(logger, "Function", operation);
                return await work(new UnclaimedRun(text, storeKey, fingerprint), cancellationToken);
            default:
                throw Rejected(operation, decision.Problem!, decision.Error);
        }
    }

    private async Task<T> RunAsync<T>(string operation, OwnedClaim claim, Call<T> call)
    {
        Completion completion;
        try
        {
            completion = await runOnce.RunAsync(claim, call);
        }
        catch
        {
            telemetry.CallEnded(operation, claim.IsOutcomeUnknown ? Telemetry.OutcomeUnknown : Telemetry.Failed);
            throw;
        }

        if (completion.Record is { } record)
        {
            return Replay(operation, claim.Key, call.Format, record); // the result of the other attempt counts, so that no other call contradicts this one
        }

        if (completion.Problem is { } problem)
        {
            throw Rejected(operation, problem, error: null);
        }

        telemetry.CallEnded(operation, completion.Outcome == CompletionOutcome.Recorded ? Telemetry.Executed : Telemetry.NotRecorded);
        return call.Result!; // set, because the work has completed
    }

    /// <summary>Encodes a result. Never throws: the work is complete and must not run again because of its result.</summary>
    private byte[] Encode<T>(string operation, ResultFormat<T> format, OwnedClaim claim, T result)
    {
        try
        {
            var payload = format.Write(result, store.CompressionThreshold, out var size);
            if (size <= claim.Policy.MaxResponseBodySize && payload.Length <= store.MaxPayloadSize)
            {
                return payload;
            }

            Log.ResultTooLarge(logger, claim.Key, operation, size);
        }
        catch (Exception exception)
        {
            Log.ResultNotSerialized(logger, claim.Key, operation, exception);
        }

        return StoredResult.Encode(ResultKind.NotKept);
    }

    private T Replay<T>(string operation, StoreKey storeKey, ResultFormat<T> format, CompletedRecord record)
    {
        if (record.Decoded is not StoredResult stored)
        {
            if (StoredResult.Decode(record.Payload, out var reason) is not { } decoded)
            {
                incidents.RecordUnreadable(logger, storeKey, reason);
                throw Rejected(operation, IdempotencyProblem.RecordUnreadable, error: null);
            }

            record.Decoded = stored = decoded;
            completed.Set(storeKey, record); // decoded once, and counted
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

    private IdempotencyException Rejected(string operation, IdempotencyProblem problem, Exception? error)
    {
        telemetry.CallEnded(operation, problem.Code);
        return CallRejection.Of(problem, operation, error);
    }

    /// <summary>The work of one call and its result.</summary>
    private sealed class Call<T>(IdempotentExecutor executor, string operation, string key, Func<IIdempotentRun, CancellationToken, Task<T>> work, ResultFormat<T> format, OwnedClaim claim, IServiceProvider? services, CancellationToken cancellationToken)
        : IdempotentRun, IProtectedWork
    {
        public ResultFormat<T> Format => format;

        public T? Result { get; private set; }

        public override string Key => key;

        public IServiceProvider Services => services ?? NoServices.Instance;

        protected override OwnedClaim? Claim => claim;

        protected override (StoreKey StoreKey, Fingerprint Fingerprint) Identity => (claim.Key, claim.Request.Fingerprint);

        public async ValueTask<byte[]?> RunAsync()
        {
            Result = await work(this, cancellationToken);
            return executor.Encode(operation, format, claim, Result);
        }
    }

    /// <summary>For stores whose transactions need no services; policies that need them require a scope.</summary>
    private sealed class NoServices : IServiceProvider
    {
        public static NoServices Instance { get; } = new();

        public object? GetService(Type serviceType) => null;
    }
}
