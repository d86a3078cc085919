namespace Idempotency.AspNetCore;

/// <summary>
/// A call of <see cref="IIdempotentExecutor"/> was refused, or has no result to give. The derived exceptions say which, and what to do;
/// for a queue's consumer <see cref="RetryAfter"/> is enough: with it, the message is to come again; without, repeating does not help.
/// </summary>
/// <remarks>No message contains the key.</remarks>
public abstract class IdempotencyException : Exception
{
    /// <summary>Creates the exception.</summary>
    private protected IdempotencyException()
        : this("The call was rejected.")
    {
    }

    /// <summary>Creates the exception with what has happened.</summary>
    private protected IdempotencyException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what has happened and why.</summary>
    private protected IdempotencyException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>
    /// What happened, for programs: the <c>code</c> member of the same problem over HTTP, for example <c>idempotency-key-reused</c>. It is also the outcome
    /// in the metric <c>idempotency.calls</c>. <c>idempotency-claim-lost</c> has no counterpart over HTTP.
    /// </summary>
    public abstract string Code { get; }

    /// <summary>When the same call, repeated, may well succeed: after this long. Null when repeating it does not help.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
