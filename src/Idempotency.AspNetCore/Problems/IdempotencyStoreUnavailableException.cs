namespace Idempotency.AspNetCore;

/// <summary>
/// The store could not be asked whether the call was made before, or its record cannot be read. Nothing was run. What to do: call again after
/// <see cref="IdempotencyException.RetryAfter"/>; when that is null, there is a record that is damaged or of a newer version of the library,
/// which waiting does not mend. A policy can choose to run unprotected when the store is away: <see cref="StoreUnavailableBehavior.Execute"/>.
/// Over HTTP: 503 <c>idempotency-store-unavailable</c>.
/// </summary>
public sealed class IdempotencyStoreUnavailableException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyStoreUnavailableException()
        : this("The idempotency store is unavailable.")
    {
    }

    /// <summary>Creates the exception with what has happened.</summary>
    public IdempotencyStoreUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what has happened and why.</summary>
    public IdempotencyStoreUnavailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-store-unavailable";
}
