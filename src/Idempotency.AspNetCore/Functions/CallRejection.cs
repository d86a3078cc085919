namespace Idempotency.AspNetCore;

/// <summary>A problem as the exception that a caller of a function gets.</summary>
internal static class CallRejection
{
    public static IdempotencyException Of(IdempotencyProblem problem, string operation, Exception? error)
    {
        var retryAfter = problem.RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : (TimeSpan?)null;
        return problem switch
        {
            _ when problem == IdempotencyProblem.KeyReused =>
                new IdempotencyKeyReusedException($"The key was used for another call of '{operation}', with another payload. Use a new key for this call; to retry the first call, repeat its payload."),
            _ when problem == IdempotencyProblem.RequestInProgress =>
                new IdempotencyInProgressException($"The first call of '{operation}' with this key is still running. Call again in a moment to get its result.") { RetryAfter = retryAfter },
            _ when problem == IdempotencyProblem.OutcomeUnknown =>
                new IdempotencyOutcomeUnknownException($"An earlier attempt of '{operation}' with this key ended without a result, and may or may not have taken effect. It does not run again. Find out what became of it."),
            _ when problem == IdempotencyProblem.TransactionConflict =>
                new IdempotencyTransactionConflictException($"The database undid the transaction of '{operation}' in favour of another. Nothing was done; call again.") { RetryAfter = retryAfter },
            _ when problem == IdempotencyProblem.CommitUnknown =>
                new IdempotencyStoreUnavailableException($"It is not known at the moment whether the transaction of '{operation}' was committed. Call again: the result is there if it was, and the work runs if it was not.") { RetryAfter = retryAfter },
            // Without a hint when to call again: waiting does not repair a record.
            _ when problem == IdempotencyProblem.RecordUnreadable =>
                new IdempotencyStoreUnavailableException($"There is an idempotency record of '{operation}' with this key, but it cannot be read: it is damaged, or was written by a newer version of the library. Nothing ran, because the record may stand for an effect. The log has the reason.", error),
            _ => new IdempotencyStoreUnavailableException($"The idempotency store is unavailable, so '{operation}' did not run. Call again.", error) { RetryAfter = retryAfter },
        };
    }
}
