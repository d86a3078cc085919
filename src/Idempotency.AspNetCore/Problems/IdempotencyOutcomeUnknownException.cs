namespace Idempotency.AspNetCore;

/// <summary>
/// An earlier attempt vanished (its process crashed, or lost the store for longer than its lease), nobody knows how far it came, and the policy
/// does not run it again (<see cref="AbandonedBehavior.Refuse"/>); or it failed after <see cref="IIdempotentRun.MarkEffectsStartedAsync"/>. What to do: find out whether the effect has happened; repeating the call
/// is refused for the policy's retention. A queue's consumer puts the message aside. Over HTTP: 409 <c>idempotency-outcome-unknown</c>.
/// </summary>
public sealed class IdempotencyOutcomeUnknownException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyOutcomeUnknownException()
        : this("The outcome of an earlier attempt with this idempotency key is unknown.")
    {
    }

    /// <summary>Creates the exception with what has happened.</summary>
    public IdempotencyOutcomeUnknownException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what has happened and why.</summary>
    public IdempotencyOutcomeUnknownException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-outcome-unknown";
}
