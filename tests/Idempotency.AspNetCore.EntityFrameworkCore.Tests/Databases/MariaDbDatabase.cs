using System.Data.Common;
using MySql.Data.MySqlClient;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>A database of the MariaDB server.</summary>
public sealed class MariaDbDatabase(MariaDbServer server) : ServerDatabase
{
    private readonly string _name = $"idempotency_{Guid.NewGuid():N}";

    public override string Now => "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000";

    public override string SelectAndLock => "SELECT * FROM \"Orders\" WHERE \"Name\" = {0} FOR UPDATE";

    public override string ConnectionString => $"{server.ConnectionString};Database={_name};Maximum Pool Size=40";

    public override string Sql(string standard) => standard.Replace('"', '`');

    public override void Use(DbContextOptionsBuilder options, string connectionString) => options.UseMySQL(connectionString);

    public override string Pool(int size) => $"{server.ConnectionString};Database={_name};Maximum Pool Size={size}";

    public override async Task KillAsync(DbConnection connection)
    {
        var session = ((MySqlConnection)connection).ServerThread;
        await ExecuteAsync($"KILL {session}");
        await Eventually.TrueAsync(async () => await CountAsync($"SELECT COUNT(*) FROM information_schema.processlist WHERE id = {session}") == 0, "gone");
    }

    protected override Task CreateAsync() => Task.CompletedTask; // EnsureCreated does

    protected override async Task DeleteAsync()
    {
        MySqlConnection.ClearAllPools();
        await using var connection = new MySqlConnection($"{server.ConnectionString};Pooling=false");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = $"DROP DATABASE {_name}";
        await command.ExecuteNonQueryAsync();
    }
}
