using System.Data;

namespace Idempotency.AspNetCore;

/// <summary>Options of the Entity Framework Core store. The table is configured in the model.</summary>
public sealed class EntityFrameworkCoreIdempotencyStoreOptions
{
    /// <summary>
    /// The timeout of a command of the store and, with SQLite, of the wait for the write lock. Rounded up to whole seconds. Default: 10 seconds.
    /// </summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The interval at which expired records are deleted. Each server does so, without conflicts. Zero: this server deletes none. Default: 5 minutes.</summary>
    /// <remarks>It only affects the size of the table: an expired record counts as absent, whether it has been deleted or not.</remarks>
    public TimeSpan RemovalInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The maximum number of expired records that one statement deletes; the statement is repeated as needed. Default: 1000.</summary>
    public int RemovalBatchSize { get; set; } = 1000;

    /// <summary>
    /// The isolation level of the transactions in which handlers run. Null (the default): the default of the database, which is read committed on PostgreSQL and SQL Server, and repeatable read on MariaDB and
    /// MySQL. SQLite transactions are always serializable.
    /// </summary>
    /// <remarks>
    /// If a transaction reads a snapshot (repeatable read and serializable on PostgreSQL, snapshot on SQL Server, MariaDB with <c>innodb_snapshot_isolation</c>), a renewal of the claim
    /// while the handler runs makes the completion fail with a conflict. Such handlers must finish within a third of <see cref="IdempotencyPolicy.ClaimDuration"/>; otherwise, increase it.
    /// </remarks>
    public IsolationLevel? IsolationLevel { get; set; }

    /// <summary>
    /// Whether the host fails to start if the database has no records table, or the table lacks a column. The check is one read, after all hosted services have started. If the database
    /// does not respond, a warning is logged. Default: true.
    /// </summary>
    /// <remarks>Set it to false if the table is created later, for example by a test that calls <c>EnsureCreated</c> on a running host.</remarks>
    public bool CheckTableOnStart { get; set; } = true;
}
