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
    /// The isolation level of transactions in which handlers run. Null (the default) for the database's own: read committed on PostgreSQL and SQL Server, repeatable read on MariaDB and
    /// MySQL. SQLite's are always serializable.
    /// </summary>
    /// <remarks>
    /// Where a transaction reads a snapshot (repeatable read and serializable on PostgreSQL, snapshot on SQL Server, MariaDB with <c>innodb_snapshot_isolation</c>), a renewal of the claim
    /// while the handler runs makes the completion a conflict. Let such handlers finish within a third of <see cref="IdempotencyPolicy.ClaimDuration"/>, or raise it.
    /// </remarks>
    public IsolationLevel? IsolationLevel { get; set; }

    /// <summary>
    /// Whether the host fails to start when the database has no table of records, or one that lacks a column. The check is one read, after all hosted services have started; a database
    /// that does not respond is logged as a warning. Default: true.
    /// </summary>
    /// <remarks>Set it to false where something creates the table later, such as a test that calls <c>EnsureCreated</c> on a running host.</remarks>
    public bool CheckTableOnStart { get; set; } = true;
}
