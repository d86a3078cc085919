namespace Idempotency.AspNetCore;

/// <summary>
/// A call with the key is already in progress, here or on another server, and has no result yet. Call again after
/// <see cref="IdempotencyException.RetryAfter"/> to get the result; in a queue consumer, deliver the message again. With
/// <see cref="InProgressBehavior.Wait"/>, this is thrown after <see cref="IdempotencyPolicy.WaitTimeout"/>. Over HTTP: 409
/// <c>idempotency-request-in-progress</c>.
/// </summary>
/// <remarks>In rare cases it is thrown to a call that ran the work: its claim was abandoned in the meantime, and the attempt that took over is still running. The result of that attempt counts.</remarks>
public sealed class IdempotencyInProgressException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyInProgressException()
        : this("A call with this idempotency key is already in progress.")
    {
    }

    /// <summary>Creates the exception with a message that describes the error.</summary>
    public IdempotencyInProgressException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    public IdempotencyInProgressException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-request-in-progress";
}
