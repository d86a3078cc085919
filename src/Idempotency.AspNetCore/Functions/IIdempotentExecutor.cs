using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>
/// Runs a function once per key, without HTTP: in a hosted service, a queue consumer or a gRPC method. <c>AddIdempotency()</c> registers it.
/// It needs neither <c>UseIdempotency()</c> nor an endpoint.
/// </summary>
/// <remarks>
/// <para>It works like the middleware, on the same store: the first call with a key runs the work while its claim is
/// renewed, the result is recorded before it is returned, and every other call with the key, on any server, gets that result until the policy's retention ends.
/// Keys of functions and keys of requests are separate.</para>
/// <para>A call that does not return a result throws an <see cref="IdempotencyException"/>. Call again after
/// <see cref="IdempotencyException.RetryAfter"/> for <see cref="IdempotencyInProgressException"/>, <see cref="IdempotencyStoreUnavailableException"/> and
/// <see cref="IdempotencyTransactionConflictException"/>. Do not call again for <see cref="IdempotencyKeyReusedException"/>, <see cref="IdempotencyOutcomeUnknownException"/> and
/// <see cref="IdempotencyResultUnavailableException"/>.</para>
/// <para>An exception of the work itself, including a cancellation, releases the claim and is passed to the caller: the next call runs the work again.</para>
/// <para>Calls can be nested if their keys differ. A call with the same key inside the work finds itself in progress; if the policy
/// waits, it waits for itself until <see cref="IdempotencyPolicy.WaitTimeout"/>.</para>
/// <para>Options of the policy that concern HTTP requests and responses are ignored. The following apply: <see cref="IdempotencyPolicy.Retention"/>,
/// <see cref="IdempotencyPolicy.ClaimDuration"/>, <see cref="IdempotencyPolicy.WhenInProgress"/>, <see cref="IdempotencyPolicy.WaitTimeout"/>,
/// <see cref="IdempotencyPolicy.WhenAbandoned"/>, <see cref="IdempotencyPolicy.WhenStoreUnavailable"/>,
/// <see cref="IdempotencyPolicy.MaxResponseBodySize"/> (for the JSON of the result),
/// <see cref="IdempotencyPolicy.Fingerprint"/> (with <see cref="RequestFingerprintMode.None"/>, <see cref="IdempotentCallOptions.Payload"/> is ignored),
/// <see cref="IdempotencyPolicy.FingerprintSelector"/> (selects from that payload) and <see cref="IdempotencyPolicy.KeySelector"/> (selects from a payload that is the key; if it selects nothing and
/// <see cref="IdempotencyPolicy.KeyRequired"/> is false, the work runs unprotected).
/// If <see cref="IdempotencyOptions.Enabled"/> is false, the work always runs.</para>
/// </remarks>
public interface IIdempotentExecutor
{
    /// <summary>Runs work with a result once, and returns that result to every call with the key.</summary>
    /// <remarks>
    /// The call that runs the work gets the original result. Every other call gets a new object that System.Text.Json deserializes as
    /// <typeparamref name="T"/> with <see cref="IdempotentCallOptions.SerializerOptions"/>; <c>null</c> stays <c>null</c>. A result that cannot be serialized, or is too
    /// large to record, is still returned: the work is complete, and other calls get <see cref="IdempotencyResultUnavailableException"/>.
    /// For trimming and native AOT, use the overload with a <see cref="JsonTypeInfo{T}"/>.
    /// </remarks>
    /// <typeparam name="T">The type of the result.</typeparam>
    /// <param name="operation">The name of the operation, for example <c>"payouts"</c>: a key belongs to its operation. It is part of the stored key, so a renamed operation has no records. Must not be blank.</param>
    /// <param name="key">The key of the call: a string, or an <see cref="IdempotentPayload"/>.</param>
    /// <param name="work">The work. Its token is <paramref name="cancellationToken"/>; <see cref="IIdempotentRun.ClaimLost"/> reports a lost claim.</param>
    /// <param name="options">The policy, the payload to validate, and the partition. Default: the default policy, and neither of the others.</param>
    /// <param name="cancellationToken">Cancels waiting and claiming, and is passed to the work. It does not cancel the recording of completed work.</param>
    /// <returns>The result.</returns>
    /// <exception cref="IdempotencyException">The work was not run, or its result is not available; see the derived exceptions.</exception>
    /// <exception cref="ArgumentException">The operation or the key is blank, or a selector of the policy cannot be applied or selects no key. Nothing was run.</exception>
    /// <exception cref="InvalidOperationException">The options name a policy that is not registered.</exception>
    /// <exception cref="NotSupportedException">System.Text.Json cannot serialize or deserialize the type of the result. Nothing was run.</exception>
    [RequiresUnreferencedCode(JsonResults.Reflects)]
    [RequiresDynamicCode(JsonResults.Reflects)]
    Task<T> ExecuteAsync<T>(
        string operation,
        IdempotentCallKey key,
        Func<IIdempotentRun, CancellationToken, Task<T>> work,
        IdempotentCallOptions? options = null,
        CancellationToken cancellationToken = default);

    /// <summary>Runs work with a result once. The result is serialized by source-generated code, for trimming and native AOT.</summary>
    /// <typeparam name="T">The type of the result.</typeparam>
    /// <param name="operation">The name of the operation.</param>
    /// <param name="key">The key of the call: a string, or an <see cref="IdempotentPayload"/>.</param>
    /// <param name="work">The work.</param>
    /// <param name="resultType">The JSON metadata of the result, for example <c>AppJsonContext.Default.Receipt</c>.</param>
    /// <param name="options">The policy, the payload to validate, and the partition. <see cref="IdempotentCallOptions.SerializerOptions"/> is not used.</param>
    /// <param name="cancellationToken">Cancels waiting and claiming, and is passed to the work.</param>
    /// <returns>The result.</returns>
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
    /// <param name="operation">The name of the operation.</param>
    /// <param name="key">The key of the call: a string, or an <see cref="IdempotentPayload"/>.</param>
    /// <param name="work">The work.</param>
    /// <param name="options">The policy, the payload to validate, and the partition.</param>
    /// <param name="cancellationToken">Cancels waiting and claiming, and is passed to the work.</param>
    /// <inheritdoc cref="ExecuteAsync{T}(string, IdempotentCallKey, Func{IIdempotentRun, CancellationToken, Task{T}}, IdempotentCallOptions, CancellationToken)" path="/exception"/>
    Task ExecuteAsync(
        string operation,
        IdempotentCallKey key,
        Func<IIdempotentRun, CancellationToken, Task> work,
        IdempotentCallOptions? options = null,
        CancellationToken cancellationToken = default);
}
