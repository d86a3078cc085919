#if USE_TESTCONTAINERS
using System.Data.Common;
using Microsoft.Data.SqlClient;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>A database of the SQL Server.</summary>
public sealed class SqlServerDatabase(SqlServer server) : ServerDatabase
{
    private readonly string _name = $"idempotency_{Guid.NewGuid():N}";

    public override string Now => "SELECT DATEDIFF_BIG(millisecond, '19700101', SYSUTCDATETIME())";

    public override string SelectAndLock => "SELECT * FROM \"Orders\" WITH (UPDLOCK) WHERE \"Name\" = {0}";

    public override string ConnectionString => $"{server.ConnectionString};Initial Catalog={_name};Max Pool Size=40;Encrypt=false";

    public override void Use(DbContextOptionsBuilder options, string connectionString) => options.UseSqlServer(connectionString);

    public override string Pool(int size) => $"{ConnectionString};Max Pool Size={size}";

    public override Task RenameTableAsync(string table, string name) => ExecuteAsync($"EXEC sp_rename '{table}', '{name}'");

    public override async Task KillAsync(DbConnection connection)
    {
        var session = ((SqlConnection)connection).ServerProcessId;
        await ExecuteAsync($"KILL {session}");
        await Eventually.TrueAsync(async () => await CountAsync($"SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE session_id = {session}") == 0, "gone");
    }

    protected override Task CreateAsync() => Task.CompletedTask; // EnsureCreated does

    protected override async Task DeleteAsync()
    {
        SqlConnection.ClearAllPools();
        await using var connection = new SqlConnection($"{server.ConnectionString};Pooling=false;Encrypt=false");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = $"ALTER DATABASE [{_name}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE; DROP DATABASE [{_name}]";
        await command.ExecuteNonQueryAsync();
    }
}
#endif
