namespace Idempotency.AspNetCore;

/// <summary>How a run ended with regard to its record.</summary>
/// <param name="Outcome">The outcome.</param>
/// <param name="Record">The record that counts, if there is one, with <see cref="CompletionOutcome.Superseded"/>.</param>
/// <param name="Failure">The exception of the step, with <see cref="CompletionOutcome.StepFailed"/>.</param>
/// <param name="EffectsStarted">Whether irreversible effects had started, so that nothing runs again.</param>
/// <param name="Error">What the store or the database threw, where that is why the response is not recorded.</param>
internal readonly record struct Completion(CompletionOutcome Outcome, CompletedRecord? Record = null, bool EffectsStarted = false, IdempotencyException? Failure = null, Exception? Error = null)
{
    /// <summary>The problem that the client receives instead of the run's response; null if that response or a record counts.</summary>
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
        CompletionOutcome.Conflict or CompletionOutcome.Undone or CompletionOutcome.Unknown when EffectsStarted => IdempotencyProblem.OutcomeUnknown, // effects outside the transaction are not rolled back with it
        CompletionOutcome.Conflict => IdempotencyProblem.TransactionConflict,
        CompletionOutcome.Undone => IdempotencyProblem.StoreUnavailable,
        CompletionOutcome.Unknown => IdempotencyProblem.CommitUnknown,
        _ => null,
    };
}
