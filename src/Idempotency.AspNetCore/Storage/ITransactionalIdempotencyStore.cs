namespace Idempotency.AspNetCore;

/// <summary>A store in the application's own database, which can record an answer in the transaction of the handler's own writes.</summary>
/// <remarks>
/// Claims, renewals and releases stay what they are, each a short transaction of its own, on a connection of its own: others must see them while the
/// handler runs. Only the completion joins the handler's transaction.
/// </remarks>
public interface ITransactionalIdempotencyStore : IIdempotencyStore
{
    /// <summary>Begins the transaction in which a handler runs, on the unit of work that the handler will find in its scope.</summary>
    /// <param name="services">The handler's scope: the request's, or that of a call of a function.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="InvalidOperationException">The scope's unit of work cannot take part (a transaction is under way, its executions are retried as a whole): the message names the fix.</exception>
    ValueTask<IIdempotencyTransaction> BeginTransactionAsync(IServiceProvider services, CancellationToken cancellationToken);
}
