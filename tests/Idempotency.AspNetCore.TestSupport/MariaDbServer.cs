namespace Idempotency.AspNetCore.Tests;

/// <summary>
/// A MariaDB that the tests start, or the one that IDEMPOTENCY_TEST_MARIADB names: a connection string of a user who may create databases and end connections. MySql.Data connects to
/// MariaDB 10.10 and later only with <c>NO_NULL_COLLATION_IDS</c> in the server's <c>old_mode</c>.
/// </summary>
public sealed class MariaDbServer : IAsyncLifetime
{
    private MariaDbProcess? _process;

    /// <summary>How it is connected to, without a database.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable("IDEMPOTENCY_TEST_MARIADB") is { Length: > 0 } running)
        {
            ConnectionString = running;
            return;
        }

        _process = await MariaDbProcess.StartAsync();
        ConnectionString = _process.ConnectionString;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _process?.Dispose();
        return ValueTask.CompletedTask;
    }
}
