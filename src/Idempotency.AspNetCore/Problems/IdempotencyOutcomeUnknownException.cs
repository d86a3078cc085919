namespace Idempotency.AspNetCore;

/// <summary>
/// An earlier attempt was abandoned (its process crashed, or lost the store for longer than its lease), and the policy does not run it again
/// (<see cref="AbandonedBehavior.Refuse"/>); or it failed after <see cref="IIdempotentRun.MarkEffectsStartedAsync"/>. Its effects may or may not have happened: check before you act. Calls with the key
/// are rejected until the retention ends. In a queue consumer, move the message to a dead-letter queue. Over HTTP: 409 <c>idempotency-outcome-unknown</c>.
/// </summary>
public sealed class IdempotencyOutcomeUnknownException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyOutcomeUnknownException()
        : this("The outcome of an earlier attempt with this idempotency key is unknown.")
    {
    }

    /// <summary>Creates the exception with a message that describes the error.</summary>
    public IdempotencyOutcomeUnknownException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    public IdempotencyOutcomeUnknownException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-outcome-unknown";
}
