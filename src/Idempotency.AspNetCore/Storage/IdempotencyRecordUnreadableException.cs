namespace Idempotency.AspNetCore;

/// <summary>
/// A record exists but cannot be read: it was written by a newer version, or is damaged. The request is rejected with 503 and does not run, regardless of
/// <see cref="IdempotencyPolicy.WhenStoreUnavailable"/>, because the record may stand for an effect.
/// </summary>
public sealed class IdempotencyRecordUnreadableException : Exception
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyRecordUnreadableException()
        : this("The idempotency record cannot be read.")
    {
    }

    /// <summary>Creates the exception with a message that describes the error.</summary>
    public IdempotencyRecordUnreadableException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    public IdempotencyRecordUnreadableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
