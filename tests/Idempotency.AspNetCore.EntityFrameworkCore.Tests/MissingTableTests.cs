using Microsoft.Extensions.Hosting;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>A table that nobody has made is found when the host starts, not by the first payment.</summary>
public abstract class MissingTableTests(TestDatabase database)
{
    [Fact]
    public async Task A_missing_table_fails_the_start_and_the_message_names_the_migration()
    {
        await database.RenameTableAsync("IdempotencyRecords", "Elsewhere");
        try
        {
            var failed = await Assert.ThrowsAsync<InvalidOperationException>(StartAsync);
            Assert.Contains("dotnet ef migrations add IdempotencyRecords --context Shop", failed.Message, StringComparison.Ordinal);
            await StartAsync(options => options.CheckTableOnStart = false);
        }
        finally
        {
            await database.RenameTableAsync("Elsewhere", "IdempotencyRecords");
        }

        await StartAsync();
    }

    [Fact]
    public async Task A_missing_column_fails_the_start()
    {
        await database.ExecuteAsync("ALTER TABLE \"IdempotencyRecords\" RENAME COLUMN \"Attempt\" TO \"Tries\"");
        try
        {
            Assert.Contains("that matches the model", (await Assert.ThrowsAsync<InvalidOperationException>(StartAsync)).Message, StringComparison.Ordinal);
        }
        finally
        {
            await database.ExecuteAsync("ALTER TABLE \"IdempotencyRecords\" RENAME COLUMN \"Tries\" TO \"Attempt\"");
        }
    }

    [Fact]
    public async Task A_table_that_a_hosted_service_makes_is_not_missing()
    {
        await database.RenameTableAsync("IdempotencyRecords", "Elsewhere");
        await StartAsync(null, services => services.AddHostedService(_ => new Making(database)));
    }

    private Task StartAsync() => StartAsync(null);

    private async Task StartAsync(Action<EntityFrameworkCoreIdempotencyStoreOptions>? configure, Action<IServiceCollection>? services = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddDbContext<Shop>(database.Use);
        builder.Services.AddIdempotency().AddEntityFrameworkCoreStore<Shop>(configure);
        services?.Invoke(builder.Services);
        using var host = builder.Build();
        await host.StartAsync();
        await host.StopAsync();
    }

    private sealed class Making(TestDatabase database) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => database.RenameTableAsync("Elsewhere", "IdempotencyRecords");

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

public sealed class SqliteMissingTableTests(SqliteDatabase database) : MissingTableTests(database), IClassFixture<SqliteDatabase>;

public sealed class PostgreSqlMissingTableTests(PostgreSqlDatabase database) : MissingTableTests(database), IClassFixture<PostgreSqlDatabase>;

public sealed class MariaDbMissingTableTests(MariaDbDatabase database) : MissingTableTests(database), IClassFixture<MariaDbDatabase>;
