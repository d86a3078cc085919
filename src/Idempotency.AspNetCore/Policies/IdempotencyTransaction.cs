namespace Idempotency.AspNetCore;

/// <summary>The transaction in which a response is recorded.</summary>
public enum IdempotencyTransaction
{
    /// <summary>
    /// The store's own transaction, after the handler. If the process dies between the two, there is an effect without a record, and
    /// <see cref="IdempotencyPolicy.WhenAbandoned"/> decides what happens to the key.
    /// </summary>
    Separate,

    /// <summary>
    /// The transaction of the handler. The handler runs in a transaction on the scope's unit of work, its response is recorded there, and both are committed together before the response is sent. An
    /// exception, a status that is not recorded, or a lost claim rolls everything back.
    /// </summary>
    /// <remarks>
    /// The handler must not commit, roll back or begin a transaction on that unit of work; savepoints are allowed. Effects outside the database are not rolled back.
    /// The response is buffered until the commit, whatever its size, so an endpoint that streams by design (server-sent events) cannot use this option.
    /// </remarks>
    SameAsHandler,
}
