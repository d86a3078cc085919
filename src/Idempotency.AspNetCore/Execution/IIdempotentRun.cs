namespace Idempotency.AspNetCore;

/// <summary>What protected work can know of its own run: a handler through <see cref="IIdempotencyFeature"/>, a function through the argument it is called with.</summary>
public interface IIdempotentRun
{
    /// <summary>
    /// The key. Over HTTP without quotation marks, or, when the body is the key, the SHA-256 of its canonical form in hexadecimal; of a
    /// function the key it was called with, or the same of its <see cref="IdempotentPayload"/>.
    /// </summary>
    string Key { get; }

    /// <summary>Which attempt this is: 1, and one more each time an abandoned claim is taken over.</summary>
    int Attempt { get; }

    /// <summary>Whether this run took over an abandoned claim: an earlier attempt may have had some of its effects. The same as an attempt over 1.</summary>
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
}
