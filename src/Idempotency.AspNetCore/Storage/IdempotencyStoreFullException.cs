namespace Idempotency.AspNetCore;

/// <summary>
/// The store has no room for another record without evicting one before it expires. It rejects the claim instead: the request is rejected with
/// 503, and nothing runs.
/// </summary>
public sealed class IdempotencyStoreFullException : Exception
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyStoreFullException()
        : this("The idempotency store is full.")
    {
    }

    /// <summary>Creates the exception with a message that describes the limit and how to increase it.</summary>
    public IdempotencyStoreFullException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    public IdempotencyStoreFullException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
