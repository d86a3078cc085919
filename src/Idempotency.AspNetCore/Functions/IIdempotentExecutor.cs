using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>
/// Runs any function once per key, without HTTP: in a hosted service, a queue consumer, a gRPC method. <c>AddIdempotency()</c> registers it, and
/// it needs neither <c>UseIdempotency()</c> nor an endpoint.
/// </summary>
/// <remarks>
/// <para>It is what the middleware does, by the same engine and on the same store: the first call with a key runs its work while its claim is
/// renewed, the result is recorded before it is returned, and every other call with the key gets that result for the policy's retention,
/// on whatever server. A key of a function and a key of a request never meet.</para>
/// <para>What a call can end in beside a result, each an <see cref="IdempotencyException"/> that says what to do:
/// <see cref="IdempotencyInProgressException"/> and <see cref="IdempotencyStoreUnavailableException"/> (call again after
/// <see cref="IdempotencyException.RetryAfter"/>), <see cref="IdempotencyKeyReusedException"/>, <see cref="IdempotencyOutcomeUnknownException"/> and
/// <see cref="IdempotencyResultUnavailableException"/> (do not).</para>
/// <para>An exception of the work itself, a cancellation too, frees the key and reaches the caller untouched: the next call runs the work again.</para>
/// <para>Calls may be nested, with different keys. A call inside the work of the same key finds itself in progress; where the policy
/// waits, it waits for its own end, until <see cref="IdempotencyPolicy.WaitTimeout"/>.</para>
/// <para>Of the policy, what is about requests and responses has no meaning here. What counts: <see cref="IdempotencyPolicy.Retention"/>,
/// <see cref="IdempotencyPolicy.ClaimDuration"/>, <see cref="IdempotencyPolicy.WhenInProgress"/>, <see cref="IdempotencyPolicy.WaitTimeout"/>,
/// <see cref="IdempotencyPolicy.WhenAbandoned"/>, <see cref="IdempotencyPolicy.WhenStoreUnavailable"/>,
/// <see cref="IdempotencyPolicy.MaxResponseBodySize"/> (the JSON of the result) and
/// <see cref="IdempotencyPolicy.Fingerprint"/> (<see cref="RequestFingerprintMode.None"/> passes over <see cref="IdempotentCallOptions.Payload"/>),
/// <see cref="IdempotencyPolicy.FingerprintSelector"/> (of that payload) and <see cref="IdempotencyPolicy.KeySelector"/> (of a payload that is the key; where it selects nothing and
/// <see cref="IdempotencyPolicy.KeyRequired"/> is false, the work runs unprotected).
/// With <see cref="IdempotencyOptions.Enabled"/> false the work simply runs.</para>
/// </remarks>
public interface IIdempotentExecutor
{
    /// <summary>Runs work that has a result once, and gives that result to every call with the key.</summary>
    /// <remarks>
    /// The call that runs the work gets its very result. Every other gets a new object, as System.Text.Json writes and reads
    /// <typeparamref name="T"/> with <see cref="IdempotentCallOptions.SerializerOptions"/>; <c>null</c> stays <c>null</c>. A result that cannot be written, or is too
    /// large to keep, is returned all the same: the work is done, and other calls get <see cref="IdempotencyResultUnavailableException"/>.
    /// For trimming and native AOT use the overload with a <see cref="JsonTypeInfo{T}"/>.
    /// </remarks>
    /// <typeparam name="T">The result.</typeparam>
    /// <param name="operation">What is done, for example <c>"payouts"</c>: a key belongs to its operation. Part of the stored key, so renaming it starts afresh. Not blank.</param>
    /// <param name="key">Which of them: a string, or an <see cref="IdempotentPayload"/>.</param>
    /// <param name="work">What is to be done once. Its token is <paramref name="cancellationToken"/>; that the claim is lost, <see cref="IIdempotentRun.ClaimLost"/> tells.</param>
    /// <param name="options">The policy, the payload to validate, the partition. Default: the default policy, and none.</param>
    /// <param name="cancellationToken">Cancels waiting and claiming, and reaches the work. What the work has done is recorded whatever it says.</param>
    /// <exception cref="IdempotencyException">It was not run, or its result is not to be had: see the derived exceptions.</exception>
    /// <exception cref="ArgumentException">The operation or the key is blank, or a selector of the policy cannot be applied, or selects no key. Nothing was run.</exception>
    /// <exception cref="InvalidOperationException">The options name a policy that is not registered.</exception>
    /// <exception cref="NotSupportedException">The result is of a type that System.Text.Json cannot write or read. Nothing was run.</exception>
    [RequiresUnreferencedCode(JsonResults.Reflects)]
    [RequiresDynamicCode(JsonResults.Reflects)]
    Task<T> ExecuteAsync<T>(
        string operation,
        IdempotentCallKey key,
        Func<IIdempotentRun, CancellationToken, Task<T>> work,
        IdempotentCallOptions? options = null,
        CancellationToken cancellationToken = default);

    /// <summary>The same, with a result that is written and read by source-generated code: for trimming and native AOT.</summary>
    /// <typeparam name="T">The result.</typeparam>
    /// <param name="operation">What is done.</param>
    /// <param name="key">Which of them: a string, or an <see cref="IdempotentPayload"/>.</param>
    /// <param name="work">What is to be done once.</param>
    /// <param name="resultType">The result's metadata, for example <c>AppJsonContext.Default.Receipt</c>.</param>
    /// <param name="options">The policy, the payload to validate, the partition. <see cref="IdempotentCallOptions.SerializerOptions"/> is not used.</param>
    /// <param name="cancellationToken">Cancels waiting and claiming, and reaches the work.</param>
    /// <inheritdoc cref="ExecuteAsync{T}(string, IdempotentCallKey, Func{IIdempotentRun, CancellationToken, Task{T}}, IdempotentCallOptions, CancellationToken)" path="/exception"/>
    [OverloadResolutionPriority(-1)] // so that "new() { … }" in this place means options
    Task<T> ExecuteAsync<T>(
        string operation,
        IdempotentCallKey key,
        Func<IIdempotentRun, CancellationToken, Task<T>> work,
        JsonTypeInfo<T> resultType,
        IdempotentCallOptions? options = null,
        CancellationToken cancellationToken = default);

    /// <summary>Runs work without a result once. Every other call with the key returns without running it.</summary>
    /// <param name="operation">What is done.</param>
    /// <param name="key">Which of them: a string, or an <see cref="IdempotentPayload"/>.</param>
    /// <param name="work">What is to be done once.</param>
    /// <param name="options">The policy, the payload to validate, the partition.</param>
    /// <param name="cancellationToken">Cancels waiting and claiming, and reaches the work.</param>
    /// <inheritdoc cref="ExecuteAsync{T}(string, IdempotentCallKey, Func{IIdempotentRun, CancellationToken, Task{T}}, IdempotentCallOptions, CancellationToken)" path="/exception"/>
    Task ExecuteAsync(
        string operation,
        IdempotentCallKey key,
        Func<IIdempotentRun, CancellationToken, Task> work,
        IdempotentCallOptions? options = null,
        CancellationToken cancellationToken = default);
}
