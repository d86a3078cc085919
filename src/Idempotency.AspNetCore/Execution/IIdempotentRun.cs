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
    /// Says that effects begin now which must not be had twice, and awaits that the store knows. From then on no other attempt is ever run: when
    /// the work fails, answers with a status that is not recorded, or its process vanishes, the outcome is unknown, and repetitions are refused with
    /// 409 <c>idempotency-outcome-unknown</c> (<see cref="IdempotencyOutcomeUnknownException"/>), whatever
    /// <see cref="IdempotencyPolicy.WhenAbandoned"/> says. It costs one store call, and renews the lease. Call it last before the effect; calling
    /// it again does nothing. A run without protection has nobody to tell.
    /// </summary>
    /// <param name="cancellationToken">Gives up waiting for the store.</param>
    /// <exception cref="IdempotencyClaimLostException">The claim is lost. The effect must not be had.</exception>
    /// <exception cref="IdempotencyStoreUnavailableException">The store could not be told. The effect must not be had; when the exception ends the run, the key is free again.</exception>
    Task EffectsStarted(CancellationToken cancellationToken = default);
}
