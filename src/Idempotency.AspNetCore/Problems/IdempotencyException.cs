namespace Idempotency.AspNetCore;

/// <summary>
/// A call of <see cref="IIdempotentExecutor"/> was rejected, or has no result to return. The derived exceptions describe the reason and what to do.
/// A queue consumer only needs <see cref="RetryAfter"/>: if it is set, deliver the message again; if it is null, a retry does not help.
/// </summary>
/// <remarks>No message contains the key.</remarks>
public abstract class IdempotencyException : Exception
{
    /// <summary>Creates the exception.</summary>
    private protected IdempotencyException()
        : this("The call was rejected.")
    {
    }

    /// <summary>Creates the exception with a message that describes the error.</summary>
    private protected IdempotencyException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    private protected IdempotencyException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>
    /// The reason, as a stable code: the <c>code</c> member of the same problem over HTTP, for example <c>idempotency-key-reused</c>. It is also the outcome
    /// in the metric <c>idempotency.calls</c>. <c>idempotency-claim-lost</c> has no counterpart over HTTP.
    /// </summary>
    public abstract string Code { get; }

    /// <summary>The time after which a retry of the same call can succeed. Null if a retry does not help.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
