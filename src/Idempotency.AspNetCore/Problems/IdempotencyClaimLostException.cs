namespace Idempotency.AspNetCore;

/// <summary>
/// The run lost its claim: it could not renew the claim in time, and another attempt took it over or an operator deleted it. Thrown by
/// <see cref="IIdempotentRun.MarkEffectsStartedAsync"/> and by steps, before an effect. Do not start the effect; let the exception end the run. The response of the other attempt
/// counts.
/// </summary>
public sealed class IdempotencyClaimLostException : IdempotencyException
{
    internal const string LostCode = "idempotency-claim-lost";

    /// <summary>Creates the exception.</summary>
    public IdempotencyClaimLostException()
        : this("The claim of this run was lost.")
    {
    }

    /// <summary>Creates the exception with a message that describes the error.</summary>
    public IdempotencyClaimLostException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and the exception that caused it.</summary>
    public IdempotencyClaimLostException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => LostCode;
}
