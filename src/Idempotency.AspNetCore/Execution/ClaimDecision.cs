namespace Idempotency.AspNetCore;

/// <summary>Who was here first, and what follows.</summary>
/// <param name="Outcome">The state of the key.</param>
/// <param name="Claim">With <see cref="ClaimOutcome.Acquired"/>: ours.</param>
/// <param name="Record">With <see cref="ClaimOutcome.Completed"/>: the record.</param>
/// <param name="Error">With <see cref="ClaimOutcome.StoreUnavailable"/> and <see cref="ClaimOutcome.Unreadable"/>: what the store threw.</param>
internal readonly record struct ClaimDecision(ClaimOutcome Outcome, OwnedClaim? Claim = null, CompletedRecord? Record = null, Exception? Error = null);

/// <summary>The states a request can find its key in.</summary>
internal enum ClaimOutcome
{
    /// <summary>Nobody: the key is ours, and the handler runs.</summary>
    Acquired,

    /// <summary>The same request, and its answer is there.</summary>
    Completed,

    /// <summary>Another request under the same key, running or completed.</summary>
    Reused,

    /// <summary>The same request, and it is still running.</summary>
    InProgress,

    /// <summary>The same request, its owner vanished, and the policy does not run it again.</summary>
    OutcomeUnknown,

    /// <summary>The store could not be asked.</summary>
    StoreUnavailable,

    /// <summary>There is a record that makes no sense.</summary>
    Unreadable,
}
