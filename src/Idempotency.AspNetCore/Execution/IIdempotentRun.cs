using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>What protected work can know of its own run: a handler through <see cref="IIdempotencyFeature"/>, a function through the argument it is called with.</summary>
public interface IIdempotentRun
{
    /// <summary>
    /// The key. Over HTTP without quotation marks, or, when the body is the key, the SHA-256 of its canonical form in hexadecimal; of a
    /// function the key it was called with, or the same of its <see cref="IdempotentPayload"/>.
    /// </summary>
    string Key { get; }

    /// <summary>Which attempt this is: 1, and one more each time it follows an attempt that was abandoned, or that failed after it had recorded steps.</summary>
    int Attempt { get; }

    /// <summary>Whether this run follows such an attempt, which may have had some of its effects. The same as an attempt over 1.</summary>
    bool TookOver { get; }

    /// <summary>
    /// Fires when the claim is known to be lost: it lapsed while this process could not renew it, and somebody else took it over or removed
    /// it. Whatever is done from here on may happen twice.
    /// </summary>
    CancellationToken ClaimLost { get; }

    /// <summary>
    /// A key for a call to another service: the same in every attempt of this request, another for every other request and name. Sent as that
    /// service's idempotency key it makes one effect of a crash between the two: <c>request.SetIdempotencyKey(run.DownstreamKey("charge"))</c>.
    /// </summary>
    /// <param name="name">Which call it is for, when there are several: <c>"charge"</c>, <c>"receipt"</c>. Do not change it while requests may be retried.</param>
    /// <returns>A UUID of version 8 in its usual 36 characters. Nothing of the request can be read from it.</returns>
    string DownstreamKey(string name);

    /// <summary>
    /// Records that irreversible effects are about to start. From then on no other attempt ever runs: when the work fails, returns a status that is not
    /// recorded, or its process dies, the outcome is unknown, and retries are rejected with 409 <c>idempotency-outcome-unknown</c>
    /// (<see cref="IdempotencyOutcomeUnknownException"/>), whatever <see cref="IdempotencyPolicy.WhenAbandoned"/> says. It costs one store call, which also
    /// renews the lease. Call it right before the effect; calling it again does nothing. In a run without a claim it does nothing.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="IdempotencyClaimLostException">The claim is lost. Do not start the effect.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The store could not be reached. Do not start the effect; when the exception ends the run, the key is free again.</exception>
    Task MarkEffectsStartedAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Runs a step of the work once, whatever becomes of this attempt. The first attempt that gets here runs it, records its result, and then returns it. Every later attempt of the same request (after a crash, an exception, or
    /// a status that is not recorded) gets the recorded result, and the step does not run.
    /// </summary>
    /// <remarks>
    /// <para>The result is recorded in the store before this returns, with one store call. A step whose process dies between its effect and its record runs again in the next attempt; make that harmless with
    /// <see cref="DownstreamKey"/>, or forbid it with <see cref="StepOptions.WhenInterrupted"/>. An exception of the step reaches the caller untouched and records nothing.</para>
    /// <para>Steps may run at the same time. Recorded steps last as long as the record: for the policy's <see cref="IdempotencyPolicy.Retention"/> after the lease of the last attempt. In a run without a claim, the step just runs.</para>
    /// </remarks>
    /// <typeparam name="T">The type of the result, as System.Text.Json writes and reads it.</typeparam>
    /// <param name="name">The step's name: 1 to 100 characters, unique in the run. Do not change it while requests may be retried: an unknown name runs anew.</param>
    /// <param name="work">The step. Its token fires when the claim is lost, or when <paramref name="cancellationToken"/> does.</param>
    /// <param name="options">What happens when the step is interrupted. Null: what the policy says.</param>
    /// <param name="cancellationToken">Ends the step. Its recording, once its work is done, is not ended by it.</param>
    /// <returns>The result: of the work, or, in a later attempt, a new object with the recorded content.</returns>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="InvalidOperationException">The name was used before in this run; or the handler runs in a transaction that holds the only right to write to the store's database (SQLite).</exception>
    /// <exception cref="IdempotencyClaimLostException">The claim is lost, before the step or when it was to be recorded. Let it end the run.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The start of the step could not be recorded, and it has not run; or its result could not, in ten seconds, and it has. Let it end the run: over HTTP the client gets 503 and may retry.</exception>
    /// <exception cref="IdempotencyResultUnavailableException">An earlier attempt ran the step, but its result was too large to record, could not be written as JSON, or cannot be read as <typeparamref name="T"/>. The step does not run. Over HTTP: 409 <c>idempotency-response-unavailable</c>.</exception>
    /// <exception cref="NotSupportedException">A <typeparamref name="T"/> cannot be read from JSON again. The step does not run.</exception>
    [RequiresUnreferencedCode(JsonResults.Reflects)]
    [RequiresDynamicCode(JsonResults.Reflects)]
    Task<T> StepAsync<T>(string name, Func<CancellationToken, Task<T>> work, StepOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>The same without reflection, for trimmed and native AOT applications.</summary>
    /// <param name="name">The step's name: 1 to 100 characters, unique in the run.</param>
    /// <param name="work">The step.</param>
    /// <param name="resultType">How its result is written and read: <c>MyContext.Default.Charge</c> of a source-generated <c>JsonSerializerContext</c>.</param>
    /// <param name="options">What happens when the step is interrupted. Null: what the policy says.</param>
    /// <param name="cancellationToken">Ends the step.</param>
    Task<T> StepAsync<T>(string name, Func<CancellationToken, Task<T>> work, JsonTypeInfo<T> resultType, StepOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>The same for a step without a result.</summary>
    /// <param name="name">The step's name: 1 to 100 characters, unique in the run.</param>
    /// <param name="work">The step.</param>
    /// <param name="options">What happens when the step is interrupted. Null: what the policy says.</param>
    /// <param name="cancellationToken">Ends the step.</param>
    Task StepAsync(string name, Func<CancellationToken, Task> work, StepOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Lets a handler of a minimal API ask for it as a parameter.</summary>
    /// <param name="context">The request.</param>
    /// <returns>The run of the request; one without a claim where the endpoint is not protected or the request needs no key.</returns>
    static ValueTask<IIdempotentRun?> BindAsync(HttpContext context) => ValueTask.FromResult<IIdempotentRun?>(HandlerRun.Of(context));
}
