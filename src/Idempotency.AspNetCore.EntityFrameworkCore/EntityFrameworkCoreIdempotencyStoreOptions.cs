using System.Data;

namespace Idempotency.AspNetCore;

/// <summary>How the store in the application's database works. Where its records are says the context's model.</summary>
public sealed class EntityFrameworkCoreIdempotencyStoreOptions
{
    /// <summary>
    /// How long a command of the store may take, and where SQLite has its one writer, how long a call waits for it. Whole seconds, rounded up. Default: 10 seconds.
    /// </summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often expired records are removed. Each server does so; they do not get in each other's way. Zero: never by this one. Default: 5 minutes.</summary>
    /// <remarks>It is for the table's size only: a record that has expired counts as absent, removed or not.</remarks>
    public TimeSpan RemovalInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How many expired records one statement removes at the most; there are as many statements as are needed. Default: 1000.</summary>
    public int RemovalBatchSize { get; set; } = 1000;

    /// <summary>
    /// The isolation level of transactions in which handlers run. Null (the default) for the database's own, which is read committed on PostgreSQL and SQL Server; SQLite's are always
    /// serializable.
    /// </summary>
    /// <remarks>
    /// From repeatable read on, a renewal of the claim while the handler runs makes PostgreSQL refuse the completion as a conflict: let such handlers finish within a third of
    /// <see cref="IdempotencyPolicy.ClaimDuration"/>, or raise that.
    /// </remarks>
    public IsolationLevel? IsolationLevel { get; set; }
}
