namespace Idempotency.AspNetCore;

/// <summary>
/// The key was already used with a different payload (<see cref="IdempotentCallOptions.Payload"/>). Nothing was run, and the record of the first call is
/// unchanged. Do not retry: two different operations share a key, or a message was modified. In a queue consumer, move the message to a dead-letter queue.
/// Over HTTP: 422 <c>idempotency-key-reused</c>.
/// </summary>
public sealed class IdempotencyKeyReusedException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyKeyReusedException()
        : this("The idempotency key was already used for a different call.")
    {
    }

    /// <summary>Creates the exception with a message that describes the error.</summary>
    public IdempotencyKeyReusedException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    public IdempotencyKeyReusedException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-key-reused";
}
