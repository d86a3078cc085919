namespace Idempotency.AspNetCore;

/// <summary>In which transaction an answer is recorded.</summary>
public enum IdempotencyTransaction
{
    /// <summary>
    /// In one of the store's own, after the handler. A process that dies between the two leaves an effect without a record: what then happens to the key,
    /// <see cref="IdempotencyPolicy.WhenAbandoned"/> decides.
    /// </summary>
    Separate,

    /// <summary>
    /// In the handler's: it runs inside a transaction on the scope's unit of work, its answer is recorded there, and both are committed together before the answer is sent. An
    /// exception, a status that is not stored or a lost claim rolls everything back.
    /// </summary>
    /// <remarks>
    /// The handler must not commit, roll back or begin a transaction of its own on that unit of work (savepoints are fine), and what it does
    /// outside the database is not undone. Its answer is held until the commit, whatever its length; an endpoint that streams by intent (server-sent events) cannot be protected so.
    /// </remarks>
    SameAsHandler,
}
