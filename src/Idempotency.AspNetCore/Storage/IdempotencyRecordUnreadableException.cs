namespace Idempotency.AspNetCore;

/// <summary>
/// A record is there, but makes no sense: written by a newer version, or damaged. The request is answered 503 and never run, whatever
/// <see cref="IdempotencyPolicy.WhenStoreUnavailable"/> says: the record may stand for an effect.
/// </summary>
public sealed class IdempotencyRecordUnreadableException : Exception
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyRecordUnreadableException()
        : this("The idempotency record cannot be read.")
    {
    }

    /// <summary>Creates the exception with what is wrong.</summary>
    public IdempotencyRecordUnreadableException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what is wrong and why.</summary>
    public IdempotencyRecordUnreadableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
