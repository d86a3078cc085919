namespace Idempotency.AspNetCore.Tests;

/// <summary>A PostgreSQL that the tests start, or the one that IDEMPOTENCY_TEST_POSTGRES names (a connection string of a user who may create databases).</summary>
public sealed class PostgreSqlServer : IAsyncLifetime
{
    private PostgreSqlProcess? _process;

    /// <summary>How it is connected to, without a database.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_POSTGRES") is { Length: > 0 } running)
        {
            ConnectionString = running;
            return;
        }

        _process = await PostgreSqlProcess.StartAsync("deadlock_timeout=100ms");
        ConnectionString = _process.ConnectionString;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _process?.Dispose();
        return ValueTask.CompletedTask;
    }
}
