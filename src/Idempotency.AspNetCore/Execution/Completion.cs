namespace Idempotency.AspNetCore;

/// <summary>How a run ended for its record.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Record">With <see cref="CompletionOutcome.Superseded"/>: the record that counts, when there is one.</param>
/// <param name="Failure">With <see cref="CompletionOutcome.StepFailed"/>: what the step failed with.</param>
/// <param name="EffectsStarted">Whether irreversible effects had started, so that nothing runs again.</param>
/// <param name="Error">What the store or the database threw, where that is why the response is not recorded.</param>
internal readonly record struct Completion(CompletionOutcome Outcome, CompletedRecord? Record = null, bool EffectsStarted = false, IdempotencyException? Failure = null, Exception? Error = null)
{
    /// <summary>What the client is told instead of the response of the run; null when that response counts, or a record does.</summary>
    public IdempotencyProblem? Problem => Outcome switch
    {
        CompletionOutcome.StepFailed => Failure switch
        {
            IdempotencyResultUnavailableException => IdempotencyProblem.StepResultUnavailable,
            IdempotencyClaimLostException => IdempotencyProblem.RequestInProgress,
            _ when EffectsStarted => IdempotencyProblem.OutcomeUnknown,
            _ => IdempotencyProblem.StepNotRecorded,
        },
        CompletionOutcome.Superseded => Record is null ? IdempotencyProblem.RequestInProgress : null,
        CompletionOutcome.Conflict or CompletionOutcome.Undone or CompletionOutcome.Unknown when EffectsStarted => IdempotencyProblem.OutcomeUnknown, // what was done outside the transaction is not undone with it
        CompletionOutcome.Conflict => IdempotencyProblem.TransactionConflict,
        CompletionOutcome.Undone => IdempotencyProblem.StoreUnavailable,
        CompletionOutcome.Unknown => IdempotencyProblem.CommitUnknown,
        _ => null,
    };
}
