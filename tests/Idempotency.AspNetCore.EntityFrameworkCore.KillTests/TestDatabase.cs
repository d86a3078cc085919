using Idempotency.AspNetCore.KilledHost;
using Microsoft.Data.Sqlite;
using MySql.Data.MySqlClient;
using Npgsql;

namespace Idempotency.AspNetCore.EntityFrameworkCore.KillTests;

/// <summary>A database of one test's own, which ends with it.</summary>
internal sealed class TestDatabase : IAsyncDisposable
{
    private TestDatabase(string store, string connection)
    {
        Settings = new Dictionary<string, string> { ["Store"] = store, ["Connection"] = connection };
        var options = new DbContextOptionsBuilder<Bank>();
        _ = store switch
        {
            "MariaDB" => options.UseMySQL(connection),
            "PostgreSQL" => options.UseNpgsql(connection),
            _ => options.UseSqlite(connection),
        };
        Bank = new Bank(options.Options);
    }

    public Bank Bank { get; }

    /// <summary>How a server finds it.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; }

    public static Task<TestDatabase> OnPostgreSqlAsync(PostgreSqlServer server) => CreateAsync("PostgreSQL", $"{server.ConnectionString};Database=killed_{Guid.NewGuid():N};Maximum Pool Size=20");

    public static Task<TestDatabase> OnMariaDbAsync(MariaDbServer server) => CreateAsync("MariaDB", $"{server.ConnectionString};Database=killed_{Guid.NewGuid():N};Maximum Pool Size=20");

    public static Task<TestDatabase> OnSqliteAsync() => CreateAsync("Sqlite", $"Data Source={Path.Combine(Path.GetTempPath(), $"killed-{Guid.NewGuid():N}.db")}");

    public async ValueTask DisposeAsync()
    {
        SqliteConnection.ClearAllPools();
        NpgsqlConnection.ClearAllPools();
        MySqlConnection.ClearAllPools();
        await Bank.Database.EnsureDeletedAsync();
        await Bank.DisposeAsync();
    }

    private static async Task<TestDatabase> CreateAsync(string store, string connection)
    {
        var database = new TestDatabase(store, connection);
        await database.Bank.Database.EnsureCreatedAsync();
        return database;
    }
}
