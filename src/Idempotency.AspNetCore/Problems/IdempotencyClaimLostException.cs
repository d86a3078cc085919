namespace Idempotency.AspNetCore;

/// <summary>
/// The run has lost its claim: it could not renew it in time, and somebody else took it over or removed it. From
/// <see cref="IIdempotentRun.MarkEffectsStartedAsync"/>, before an effect. What to do: have no effect; let the exception end the run. The other attempt's
/// answer counts.
/// </summary>
public sealed class IdempotencyClaimLostException : IdempotencyException
{
    internal const string LostCode = "idempotency-claim-lost";

    /// <summary>Creates the exception.</summary>
    public IdempotencyClaimLostException()
        : this("The claim of this run was lost.")
    {
    }

    /// <summary>Creates the exception with what has happened.</summary>
    public IdempotencyClaimLostException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what has happened and why.</summary>
    public IdempotencyClaimLostException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <inheritdoc/>
    public override string Code => LostCode;
}
