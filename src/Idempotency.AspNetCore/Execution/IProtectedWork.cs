namespace Idempotency.AspNetCore;

/// <summary>What runs once: a request's handler or a function, with what its front door adds.</summary>
internal interface IProtectedWork
{
    /// <summary>The scope in which the work finds its unit of work. Asked only by policies with a transaction: making a scope costs a request.</summary>
    IServiceProvider Services { get; }

    /// <summary>Runs the work from its start; it may be called again after a conflict in the database.</summary>
    /// <returns>The payload of the record; null when the work ended in a response that is not recorded.</returns>
    ValueTask<byte[]?> RunAsync();
}
