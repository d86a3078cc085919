namespace Idempotency.AspNetCore;

/// <summary>How recorded responses are protected; see <c>ProtectResponses()</c>.</summary>
public sealed class ResponseProtectionOptions
{
    /// <summary>
    /// Whether records that were written without protection are replayed. Set it while such records are left, which is for the longest
    /// retention after protection was switched on; whoever can write to the store can make up responses meanwhile. Default: false, and
    /// they are answered 503.
    /// </summary>
    public bool AcceptUnprotected { get; set; }
}
