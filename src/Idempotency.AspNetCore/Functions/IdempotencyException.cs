namespace Idempotency.AspNetCore;

/// <summary>
/// A call of <see cref="IIdempotentExecutor"/> was refused, or has no result to give. The derived exceptions say which, and what to do;
/// for a queue's consumer <see cref="RetryAfter"/> is enough: with it, the message is to come again; without, repeating does not help.
/// </summary>
/// <remarks>No message contains the key.</remarks>
public abstract class IdempotencyException : Exception
{
    /// <summary>Creates the exception.</summary>
    protected IdempotencyException()
        : this("The call was refused.")
    {
    }

    /// <summary>Creates the exception with what has happened.</summary>
    protected IdempotencyException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what has happened and why.</summary>
    protected IdempotencyException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>When the same call, repeated, may well succeed: after this long. Null when repeating it does not help.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
