using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore;

/// <summary>The properties of the application's database that are known without connecting to it.</summary>
/// <param name="Sql">The statements.</param>
/// <param name="Gate">The gate of writers, if the engine allows one at a time.</param>
internal sealed record RecordsDatabase(RecordSql Sql, WriterGate? Gate)
{
    private const string MySql = "MySql.EntityFrameworkCore";
    private const string PostgreSql = "Npgsql.EntityFrameworkCore.PostgreSQL";
    private const string Sqlite = "Microsoft.EntityFrameworkCore.Sqlite";
    private const string SqlServer = "Microsoft.EntityFrameworkCore.SqlServer";

    /// <summary>Reads the properties from the context that the application has registered.</summary>
    /// <exception cref="InvalidOperationException">It cannot store records; the message names the fix.</exception>
    public static RecordsDatabase Of<TDbContext>(IServiceScopeFactory scopes)
        where TDbContext : DbContext
    {
        using var scope = scopes.CreateScope();
        using var other = scopes.CreateScope();
        var context = scope.ServiceProvider.GetService<TDbContext>();
        var another = other.ServiceProvider.GetService<TDbContext>();
        var name = typeof(TDbContext).Name;
        if (context is null || another is null)
        {
            throw new InvalidOperationException($"AddEntityFrameworkCoreStore<{name}>() requires the context '{name}', which is not registered. Call builder.Services.AddDbContext<{name}>(...).");
        }

        var provider = context.Database.ProviderName;
        if (provider is not (PostgreSql or SqlServer or MySql or Sqlite))
        {
            throw new InvalidOperationException($"'{name}' uses the provider '{provider}', which the idempotency store does not support. Use {PostgreSql}, {SqlServer}, {MySql} or {Sqlite}, or another idempotency store.");
        }

        var table = RecordsTable.Of(context);
        var connection = context.Database.GetDbConnection();
        if (ReferenceEquals(connection, another.Database.GetDbConnection()))
        {
            throw new InvalidOperationException($"All instances of '{name}' share one connection, but the idempotency store needs a connection of its own. Give the provider a connection string instead of an open connection, and register the context as scoped.");
        }

        return provider switch
        {
            PostgreSql => new RecordsDatabase(new PostgreSqlRecordSql(table), null),
            MySql => new RecordsDatabase(new MySqlRecordSql(table), null),
            SqlServer => new RecordsDatabase(new SqlServerRecordSql(table), null),
            _ => new RecordsDatabase(new SqliteRecordSql(table), WriterGate.Of(SqliteDatabaseOf(connection, name))),
        };
    }

    private static string SqliteDatabaseOf(DbConnection connection, string context)
    {
        var settings = new DbConnectionStringBuilder { ConnectionString = connection.ConnectionString };
        bool Is(string setting, string value) => settings.TryGetValue(setting, out var set) && string.Equals(set?.ToString(), value, StringComparison.OrdinalIgnoreCase);
        var source = connection.DataSource;
        var isInMemory = source is "" || source.Contains(":memory:", StringComparison.OrdinalIgnoreCase) || Is("Mode", "Memory");
        if (isInMemory && !Is("Cache", "Shared"))
        {
            throw new InvalidOperationException($"'{context}' uses an in-memory SQLite database that is private to each connection. Share it with 'Data Source=name;Mode=Memory;Cache=Shared' and one connection that stays open, or use a file.");
        }

        // One file can have two names. A value that is not a file name is not changed in any way that matters.
        return isInMemory ? source : Path.GetFullPath(source);
    }
}
