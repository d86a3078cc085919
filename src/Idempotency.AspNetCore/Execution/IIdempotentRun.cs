using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>Describes the run of protected work. A handler gets it through <see cref="IIdempotencyFeature"/>, a function as an argument.</summary>
public interface IIdempotentRun
{
    /// <summary>
    /// The key. Over HTTP, it is the key header without quotation marks, or the SHA-256 of the key's canonical content in hexadecimal if the key comes from the body. For a
    /// function, it is the key of the call, or the same hash of its <see cref="IdempotentPayload"/>.
    /// </summary>
    string Key { get; }

    /// <summary>The number of the attempt: 1, and one more each time an attempt was abandoned, or failed after it recorded steps.</summary>
    int Attempt { get; }

    /// <summary>Whether this run follows such an attempt, which may have had some of its effects: <see cref="Attempt"/> is greater than 1.</summary>
    bool TookOver { get; }

    /// <summary>
    /// Is canceled when the claim is known to be lost: its lease ended before this process could renew it, and another attempt took it over or an operator
    /// deleted it. Effects after that may happen twice.
    /// </summary>
    CancellationToken ClaimLost { get; }

    /// <summary>
    /// Returns a key for a call to another service: the same in every attempt of this request, and different for every other request and name. Send it as the other
    /// service's idempotency key, so that a crash between the two services has one effect: <c>request.SetIdempotencyKey(run.DownstreamKey("charge"))</c>.
    /// </summary>
    /// <param name="name">The name of the call, for example <c>"charge"</c> or <c>"receipt"</c>. Do not change it while requests can be retried.</param>
    /// <returns>A version 8 UUID (RFC 9562 section 5.8) with 36 characters. It reveals nothing about the request.</returns>
    string DownstreamKey(string name);

    /// <summary>
    /// Records that irreversible effects are about to start. After that, no other attempt ever runs: if the work fails, returns a status that is not
    /// recorded, or its process dies, the outcome is unknown, and retries are rejected with 409 <c>idempotency-outcome-unknown</c>
    /// (<see cref="IdempotencyOutcomeUnknownException"/>), regardless of <see cref="IdempotencyPolicy.WhenAbandoned"/>. It takes one store call, which also
    /// renews the lease. Call it right before the effect. Further calls do nothing, and neither do calls in a run without a claim.
    /// </summary>
    /// <param name="cancellationToken">Cancels the store call.</param>
    /// <exception cref="IdempotencyClaimLostException">The claim is lost. Do not start the effect.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The store is unavailable. Do not start the effect. If the exception ends the run, the claim is released.</exception>
    Task MarkEffectsStartedAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Runs a step of the work once, across attempts. The first attempt that reaches the step runs it, records its result, and returns the result. Every later attempt of the same request (after a crash, an exception, or
    /// a status that is not recorded) returns the recorded result without running the step.
    /// </summary>
    /// <remarks>
    /// <para>The result is recorded with one store call before this method returns. If the process dies after the effect of the step and before its record, the next attempt runs the step again. Make that harmless with
    /// <see cref="DownstreamKey"/>, or prevent it with <see cref="StepOptions.WhenInterrupted"/>. An exception of the step is passed to the caller, and nothing is recorded.</para>
    /// <para>Steps can run at the same time. Recorded steps last as long as the record: the policy's <see cref="IdempotencyPolicy.Retention"/> after the lease of the last attempt. In a run without a
    /// claim, the step runs without being recorded.</para>
    /// </remarks>
    /// <typeparam name="T">The type of the result. System.Text.Json must be able to serialize and deserialize it.</typeparam>
    /// <param name="name">The name of the step: 1 to 100 characters, unique in the run. Do not change it while requests can be retried: a step with a new name runs again.</param>
    /// <param name="work">The step. Its token is canceled when the claim is lost or <paramref name="cancellationToken"/> is canceled.</param>
    /// <param name="options">What happens if the step is interrupted. Null: the policy decides.</param>
    /// <param name="cancellationToken">Cancels the step. It does not cancel the recording of a completed step.</param>
    /// <returns>The result of the work, or, in a later attempt, a new object with the recorded content.</returns>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="InvalidOperationException">The name was already used in this run; or the handler runs in a transaction that holds the write lock of the store's database (SQLite).</exception>
    /// <exception cref="IdempotencyClaimLostException">The claim is lost, before the step or before it was recorded. Let the exception end the run.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The start of the step could not be recorded, and it did not run; or it ran, and its result could not be recorded within ten seconds. Let
    /// the exception end the run: over HTTP, the client receives 503 and can retry.</exception>
    /// <exception cref="IdempotencyResultUnavailableException">An earlier attempt ran the step, but its result was too large to record, could not be serialized to JSON, or cannot be read as
    /// <typeparamref name="T"/>. The step does not run. Over HTTP: 409 <c>idempotency-response-unavailable</c>.</exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> cannot be deserialized from JSON. The step does not run.</exception>
    [RequiresUnreferencedCode(JsonResults.Reflects)]
    [RequiresDynamicCode(JsonResults.Reflects)]
    Task<T> StepAsync<T>(string name, Func<CancellationToken, Task<T>> work, StepOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Runs a step of the work once, without reflection, for trimmed and native AOT applications.</summary>
    /// <param name="name">The name of the step: 1 to 100 characters, unique in the run.</param>
    /// <param name="work">The step.</param>
    /// <param name="resultType">The JSON metadata of the result: <c>MyContext.Default.Charge</c> of a source-generated <c>JsonSerializerContext</c>.</param>
    /// <param name="options">What happens if the step is interrupted. Null: the policy decides.</param>
    /// <param name="cancellationToken">Cancels the step.</param>
    Task<T> StepAsync<T>(string name, Func<CancellationToken, Task<T>> work, JsonTypeInfo<T> resultType, StepOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Runs a step without a result once.</summary>
    /// <param name="name">The name of the step: 1 to 100 characters, unique in the run.</param>
    /// <param name="work">The step.</param>
    /// <param name="options">What happens if the step is interrupted. Null: the policy decides.</param>
    /// <param name="cancellationToken">Cancels the step.</param>
    Task StepAsync(string name, Func<CancellationToken, Task> work, StepOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Binds the run to a parameter of a minimal API handler.</summary>
    /// <param name="context">The request.</param>
    /// <returns>The run of the request, or a run without a claim if the endpoint is not protected or the request has no key.</returns>
    static ValueTask<IIdempotentRun?> BindAsync(HttpContext context) => ValueTask.FromResult<IIdempotentRun?>(HandlerRun.Of(context));
}
