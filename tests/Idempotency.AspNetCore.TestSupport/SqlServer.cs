#if USE_TESTCONTAINERS
namespace Idempotency.AspNetCore.Tests;

/// <summary>A SQL Server in a container, or the one that IDEMPOTENCY_TEST_SQLSERVER names (a connection string of a user who may create databases).</summary>
public sealed class SqlServer : IAsyncLifetime
{
    private readonly Testcontainers.MsSql.MsSqlContainer _container = new Testcontainers.MsSql.MsSqlBuilder("mcr.microsoft.com/mssql/server:2022-latest").Build();

    /// <summary>How it is connected to.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_SQLSERVER") is { Length: > 0 } running)
        {
            ConnectionString = running;
            return;
        }

        await _container.StartAsync();
        ConnectionString = _container.GetConnectionString();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _container.DisposeAsync();
}
#endif
