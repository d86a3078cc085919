namespace Idempotency.AspNetCore;

/// <summary>What became of a request or a call, as the page shows it.</summary>
internal enum RequestOutcome
{
    Executed,
    Replayed,
    Rejected,
    Unprotected,
    Failed,
    NotRecorded,
    OutcomeUnknown,
    WithoutKey,
    Other,
}
