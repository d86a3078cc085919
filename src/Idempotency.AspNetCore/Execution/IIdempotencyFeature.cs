namespace Idempotency.AspNetCore;

/// <summary>What a protected handler can know of its own run: <c>HttpContext.Features.Get&lt;IIdempotencyFeature&gt;()</c>.</summary>
public interface IIdempotencyFeature
{
    /// <summary>The key, without quotation marks; or, when the body is the key, the SHA-256 of its canonical form in hexadecimal.</summary>
    string Key { get; }

    /// <summary>Which attempt this is: 1, and one more each time an abandoned claim is taken over.</summary>
    int Attempt { get; }

    /// <summary>Whether this run took over an abandoned claim: an earlier attempt may have had some of its effects. The same as an attempt over 1.</summary>
    bool TookOver { get; }

    /// <summary>
    /// Fires when the claim is known to be lost: it lapsed while this process could not renew it, and somebody else took it over or removed
    /// it. Whatever the handler does from here on may happen twice.
    /// </summary>
    CancellationToken ClaimLost { get; }
}
