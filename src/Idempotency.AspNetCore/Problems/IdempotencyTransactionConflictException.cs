namespace Idempotency.AspNetCore;

/// <summary>
/// The database rolled back the transaction of the run because it conflicted with another (a serialization failure or a deadlock), as often as
/// <see cref="IdempotencyPolicy.TransactionRetries"/> allows. Nothing was changed, and the claim was released. Call again after
/// <see cref="IdempotencyException.RetryAfter"/>. Only with <see cref="IdempotencyTransaction.SameAsHandler"/>. Over HTTP: 503
/// <c>idempotency-transaction-conflict</c>.
/// </summary>
public sealed class IdempotencyTransactionConflictException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyTransactionConflictException()
        : this("The transaction of the run was rolled back because of a conflict.")
    {
    }

    /// <summary>Creates the exception with a message that describes the error.</summary>
    public IdempotencyTransactionConflictException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    public IdempotencyTransactionConflictException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-transaction-conflict";
}
