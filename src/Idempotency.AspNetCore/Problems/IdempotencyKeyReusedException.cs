namespace Idempotency.AspNetCore;

/// <summary>
/// The key of a call was used with another payload before (<see cref="IdempotentCallOptions.Payload"/>). Nothing was run, and the first call's record is
/// untouched. What to do: nothing that repeats it; two different things have one key, or a message was changed. A queue's consumer puts it
/// aside for somebody to look at. Over HTTP: 422 <c>idempotency-key-reused</c>.
/// </summary>
public sealed class IdempotencyKeyReusedException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyKeyReusedException()
        : this("The idempotency key was already used for a different call.")
    {
    }

    /// <summary>Creates the exception with what has happened.</summary>
    public IdempotencyKeyReusedException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what has happened and why.</summary>
    public IdempotencyKeyReusedException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-key-reused";
}
