namespace Idempotency.AspNetCore;

/// <summary>The work that runs once: the handler of a request or a function, with the additions of its entry point.</summary>
internal interface IProtectedWork
{
    /// <summary>The scope of the work's unit of work. Only read for policies with a transaction, because creating a scope has a cost.</summary>
    IServiceProvider Services { get; }

    /// <summary>Runs the work from its start. It can be called again after a conflict in the database.</summary>
    /// <returns>The payload of the record; null if the response of the work is not recorded.</returns>
    ValueTask<byte[]?> RunAsync();
}
