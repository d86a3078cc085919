using System.Data.Common;
using Npgsql;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>A database of the PostgreSQL server.</summary>
public sealed class PostgreSqlDatabase(PostgreSqlServer server) : ServerDatabase
{
    private readonly string _name = $"idempotency_{Guid.NewGuid():N}";

    public override string Now => "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

    public override string SelectAndLock => "SELECT * FROM \"Orders\" WHERE \"Name\" = {0} FOR UPDATE";

    public override string ConnectionString => $"{server.ConnectionString};Database={_name};Maximum Pool Size=40;Include Error Detail=true";

    public override void Use(DbContextOptionsBuilder options, string connectionString) => options.UseNpgsql(connectionString);

    public override string Pool(int size) => $"{ConnectionString};Maximum Pool Size={size}";

    public override async Task KillAsync(DbConnection connection)
    {
        var session = ((NpgsqlConnection)connection).ProcessID;
        await ExecuteAsync($"SELECT pg_terminate_backend({session})");
        await Eventually.TrueAsync(async () => await CountAsync($"SELECT COUNT(*) FROM pg_stat_activity WHERE pid = {session}") == 0, "gone");
    }

    /// <summary>Takes the database away, or gives it back.</summary>
    public async Task AllowConnectionsAsync(bool areAllowed)
    {
        await ExecuteOutsideAsync($"ALTER DATABASE {_name} WITH ALLOW_CONNECTIONS {areAllowed}");
        if (!areAllowed)
        {
            await ExecuteOutsideAsync($"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_name}'");
        }
    }

    protected override Task CreateAsync() => Task.CompletedTask; // EnsureCreated does

    protected override async Task DeleteAsync()
    {
        await using (var own = new NpgsqlConnection(ConnectionString))
        {
            NpgsqlConnection.ClearPool(own);
        }

        await ExecuteOutsideAsync($"DROP DATABASE {_name} WITH (FORCE)");
    }

    private async Task ExecuteOutsideAsync(string sql)
    {
        await using var connection = new NpgsqlConnection($"{server.ConnectionString};Database=postgres;Pooling=false");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync();
    }
}
