namespace Idempotency.AspNetCore;

/// <summary>What happened to a request that a person should look at.</summary>
public enum IdempotencyIncidentKind
{
    /// <summary>A run ended without a response after irreversible effects may have started, or a retry was rejected for that reason (409 <c>idempotency-outcome-unknown</c>).</summary>
    OutcomeUnknown,

    /// <summary>The handler ran and its response could not be recorded. The client got it, and a retry may run the handler again once the lease is over.</summary>
    ResponseNotRecorded,

    /// <summary>There is a record that cannot be read. Requests with its key are rejected with 503.</summary>
    RecordUnreadable,
}
