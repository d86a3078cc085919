namespace Idempotency.AspNetCore;

/// <summary>Converts problems to the exceptions that callers of functions get.</summary>
internal static class CallRejection
{
    public static IdempotencyException Of(IdempotencyProblem problem, string operation, Exception? error)
    {
        var retryAfter = problem.RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : (TimeSpan?)null;
        return problem switch
        {
            _ when problem == IdempotencyProblem.KeyReused =>
                new IdempotencyKeyReusedException($"The key was already used for a call of '{operation}' with a different payload. Use a new key for this call; to retry the first call, repeat its payload."),
            _ when problem == IdempotencyProblem.RequestInProgress =>
                new IdempotencyInProgressException($"A call of '{operation}' with this key is already in progress. Call again in a moment to get its result.") { RetryAfter = retryAfter },
            _ when problem == IdempotencyProblem.OutcomeUnknown =>
                new IdempotencyOutcomeUnknownException($"The outcome of an earlier attempt of '{operation}' with this key is unknown. It may or may not have taken effect, so it was not run again. Check whether it took effect."),
            _ when problem == IdempotencyProblem.TransactionConflict =>
                new IdempotencyTransactionConflictException($"The transaction of '{operation}' was rolled back because it conflicted with another. Nothing was changed. Call again.") { RetryAfter = retryAfter },
            _ when problem == IdempotencyProblem.CommitUnknown =>
                new IdempotencyStoreUnavailableException($"It is not known whether the transaction of '{operation}' was committed. Call again: if it was committed, the call returns its result; if it was not, the work runs.") { RetryAfter = retryAfter },
            // Without RetryAfter, because waiting does not repair a record.
            _ when problem == IdempotencyProblem.RecordUnreadable =>
                new IdempotencyStoreUnavailableException($"The idempotency record of '{operation}' with this key cannot be read: it is damaged, or was written by a newer version of the library. Nothing was run, because the work may already be complete. See the log for the reason.", error),
            _ => new IdempotencyStoreUnavailableException($"The idempotency store is unavailable, so '{operation}' was not run. Call again.", error) { RetryAfter = retryAfter },
        };
    }
}
