namespace Idempotency.AspNetCore;

/// <summary>
/// The store is unavailable, or the record of the call cannot be read. Nothing was run. Call again after
/// <see cref="IdempotencyException.RetryAfter"/>. If that is null, the record is damaged or was written by a newer version of the library,
/// and a retry does not help. A policy can run calls unprotected while the store is unavailable: <see cref="StoreUnavailableBehavior.Execute"/>.
/// Over HTTP: 503 <c>idempotency-store-unavailable</c>.
/// </summary>
public sealed class IdempotencyStoreUnavailableException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyStoreUnavailableException()
        : this("The idempotency store is unavailable.")
    {
    }

    /// <summary>Creates the exception with a message that describes the error.</summary>
    public IdempotencyStoreUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    public IdempotencyStoreUnavailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-store-unavailable";
}
