namespace Idempotency.AspNetCore;

/// <summary>A store in the application's own database that can record a response in the transaction of the handler's own writes.</summary>
/// <remarks>
/// Claims, renewals and releases are still short transactions of their own, on a separate connection, because others must see them while the
/// handler runs. Only the completion joins the handler's transaction.
/// </remarks>
public interface ITransactionalIdempotencyStore : IIdempotencyStore
{
    /// <summary>Starts the transaction of a handler, on the unit of work that the handler resolves from its scope.</summary>
    /// <param name="services">The scope of the handler: that of the request, or of the function call.</param>
    /// <param name="cancellationToken">Cancels the attempt.</param>
    /// <exception cref="InvalidOperationException">The scope's unit of work cannot take part, for example because a transaction is already active or an execution strategy retries. The message names the fix.</exception>
    ValueTask<IIdempotencyTransaction> BeginTransactionAsync(IServiceProvider services, CancellationToken cancellationToken);
}
