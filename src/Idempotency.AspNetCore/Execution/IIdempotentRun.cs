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
}
