namespace Idempotency.AspNetCore;

/// <summary>
/// The work is done, but its result is not to be had: it was too large to keep, could not be written as JSON, or cannot be read as the type that is asked for.
/// What to do: treat it as done (a queue's consumer acknowledges the message) and never run it under another key. Only calls that repeat it
/// see this; the call that ran the work got its result. Over HTTP: 409 <c>idempotency-response-unavailable</c>.
/// </summary>
public sealed class IdempotencyResultUnavailableException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyResultUnavailableException()
        : this("The work is complete, but its result is not available.")
    {
    }

    /// <summary>Creates the exception with what has happened.</summary>
    public IdempotencyResultUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what has happened and why.</summary>
    public IdempotencyResultUnavailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-response-unavailable";
}
