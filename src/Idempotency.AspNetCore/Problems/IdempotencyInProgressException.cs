namespace Idempotency.AspNetCore;

/// <summary>
/// The first call with the key is still running, here or on another server, and its result is not there yet. What to do: call again after
/// <see cref="IdempotencyException.RetryAfter"/>, to get it; a queue's consumer lets the message come again. Or have the policy wait:
/// <see cref="InProgressBehavior.Wait"/>; then this is thrown when <see cref="IdempotencyPolicy.WaitTimeout"/> is over. Over HTTP: 409
/// <c>idempotency-request-in-progress</c>.
/// </summary>
/// <remarks>Also thrown, rarely, to a call that has run the work, when its claim lapsed meanwhile and another attempt, which took over, is running: that one's result will count.</remarks>
public sealed class IdempotencyInProgressException : IdempotencyException
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyInProgressException()
        : this("A call with this idempotency key is already in progress.")
    {
    }

    /// <summary>Creates the exception with what has happened.</summary>
    public IdempotencyInProgressException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what has happened and why.</summary>
    public IdempotencyInProgressException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => "idempotency-request-in-progress";
}
