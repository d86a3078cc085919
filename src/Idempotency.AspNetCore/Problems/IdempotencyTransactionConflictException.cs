namespace Idempotency.AspNetCore;

/// <summary>
/// The database has undone the transaction of the run in favour of another that ran at the same time (a serialization failure, a deadlock), as often as
/// <see cref="IdempotencyPolicy.TransactionRetries"/> allows. Nothing was done, and the key is free. What to do: call again after
/// <see cref="IdempotencyException.RetryAfter"/>. Only under <see cref="IdempotencyTransaction.SameAsHandler"/>. Over HTTP: 503
/// <c>idempotency-transaction-conflict</c>.
/// </summary>
public sealed class IdempotencyTransactionConflictException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyTransactionConflictException()
        : this("The transaction of the run was rolled back because of a conflict.")
    {
    }

    /// <summary>Creates the exception with what has happened.</summary>
    public IdempotencyTransactionConflictException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what has happened and why.</summary>
    public IdempotencyTransactionConflictException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-transaction-conflict";
}
