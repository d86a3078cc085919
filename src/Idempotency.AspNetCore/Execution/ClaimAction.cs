namespace Idempotency.AspNetCore;

/// <summary>The action that follows from the store's response to a claim; see <see cref="ClaimTable"/>.</summary>
internal enum ClaimAction
{
    /// <summary>The claim is ours: run the handler.</summary>
    Run,

    /// <summary>Replay the record.</summary>
    Replay,

    /// <summary>Reject: the key belongs to a different request.</summary>
    RejectReused,

    /// <summary>Reject: an earlier attempt may have taken effect and must not run again.</summary>
    RejectOutcomeUnknown,

    /// <summary>Reject: the first request is still running.</summary>
    RejectInProgress,

    /// <summary>Wait for the first request, then ask again.</summary>
    Wait,

    /// <summary>Ask again, to take over the abandoned claim.</summary>
    TakeOver,

    /// <summary>Ask again: the record that was in the way is gone.</summary>
    AskAgain,
}
