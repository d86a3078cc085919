namespace Idempotency.AspNetCore;

/// <summary>
/// The store has no room for another record and would have to forget one it promised to keep. It refuses instead; the request is answered
/// 503 and nothing ran.
/// </summary>
public sealed class IdempotencyStoreFullException : Exception
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyStoreFullException()
        : this("The idempotency store is full.")
    {
    }

    /// <summary>Creates the exception with what is full and how to enlarge it.</summary>
    public IdempotencyStoreFullException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what is full and why.</summary>
    public IdempotencyStoreFullException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
