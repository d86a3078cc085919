namespace Idempotency.AspNetCore;

/// <summary>
/// The work is complete, but its result is not available: it was too large to record, could not be serialized to JSON, or cannot be read as the requested type.
/// Treat the work as done (a queue consumer acknowledges the message), and never run it with another key. Only duplicates
/// get this exception; the call that ran the work got its result. Over HTTP: 409 <c>idempotency-response-unavailable</c>.
/// </summary>
public sealed class IdempotencyResultUnavailableException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyResultUnavailableException()
        : this("The work is complete, but its result is not available.")
    {
    }

    /// <summary>Creates the exception with a message that describes the error.</summary>
    public IdempotencyResultUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    public IdempotencyResultUnavailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-response-unavailable";
}
