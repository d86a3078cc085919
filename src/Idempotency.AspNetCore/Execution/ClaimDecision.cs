namespace Idempotency.AspNetCore;

/// <summary>Who was here first, and what follows.</summary>
/// <param name="Outcome">The state of the key.</param>
/// <param name="Claim">With <see cref="ClaimOutcome.Acquired"/>: the claim.</param>
/// <param name="Record">With <see cref="ClaimOutcome.Completed"/>: the record.</param>
/// <param name="Error">With <see cref="ClaimOutcome.StoreUnavailable"/> and <see cref="ClaimOutcome.Unreadable"/>: what the store threw.</param>
internal readonly record struct ClaimDecision(ClaimOutcome Outcome, OwnedClaim? Claim = null, CompletedRecord? Record = null, Exception? Error = null)
{
    /// <summary>Why the request is rejected; null when it runs or is replayed.</summary>
    public IdempotencyProblem? Problem => Outcome switch
    {
        ClaimOutcome.Acquired or ClaimOutcome.Completed => null,
        ClaimOutcome.Reused => IdempotencyProblem.KeyReused,
        ClaimOutcome.InProgress => IdempotencyProblem.RequestInProgress,
        ClaimOutcome.OutcomeUnknown => IdempotencyProblem.OutcomeUnknown,
        ClaimOutcome.Unreadable => IdempotencyProblem.RecordUnreadable,
        _ => IdempotencyProblem.StoreUnavailable,
    };

    /// <summary>What a completed record means to a request: its response if the request is the same, else a rejection.</summary>
    public static ClaimDecision Of(CompletedRecord record, Fingerprint fingerprint) => record.Fingerprint == fingerprint
        ? new ClaimDecision(ClaimOutcome.Completed, Record: record)
        : new ClaimDecision(ClaimOutcome.Reused);
}
