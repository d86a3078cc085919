using System.Data.Common;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>A database of a server, which takes many writers and may lose a connection.</summary>
public abstract class ServerDatabase : TestDatabase
{
    public override bool TakesOtherWriters => true;

    public abstract string ConnectionString { get; }

    /// <summary>A query that locks the order of a name.</summary>
    public abstract string SelectAndLock { get; }

    public sealed override void Use(DbContextOptionsBuilder options) => Use(options, ConnectionString);

    /// <summary>The provider, on another connection string.</summary>
    public abstract void Use(DbContextOptionsBuilder options, string connectionString);

    /// <summary>A connection string with a pool of a size.</summary>
    public abstract string Pool(int size);

    /// <summary>Ends a connection at the server, and returns when it is gone.</summary>
    public abstract Task KillAsync(DbConnection connection);
}
