namespace Idempotency.AspNetCore;

/// <summary>Options for the protection of recorded responses; see <c>ProtectResponses()</c>.</summary>
public sealed class ResponseProtectionOptions
{
    /// <summary>
    /// Whether records that were written without protection are replayed. Set it to true while such records exist: for the longest
    /// retention after protection was turned on. During that time, anyone who can write to the store can forge responses. Default: false, and requests with
    /// such records are rejected with 503.
    /// </summary>
    public bool AcceptUnprotected { get; set; }
}
