using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/stores.md, run: each registration gives the store that it names, without a server. The stores' own tests run them.</summary>
public sealed class StoresPageTests
{
    private readonly WebApplicationBuilder _builder = Applications.NewBuilder();

    [Fact]
    public async Task In_memory()
    {
        var builder = _builder;
        #region docs: in-memory-store
        builder.Services.AddIdempotency().AddInMemoryStore(options => options.MaxBytes = 256 * 1024 * 1024);
        #endregion
        await AssertStoreAsync("InMemoryIdempotencyStore");
    }

    [Fact]
    public async Task Redis()
    {
        var builder = _builder;
        #region docs: redis-store
        builder.Services.AddIdempotency().AddRedisStore("localhost:6379");
        #endregion
        await AssertStoreAsync("RedisIdempotencyStore");
    }

    [Fact]
    public async Task DynamoDB()
    {
        var builder = _builder;
        #region docs: dynamodb-store
        builder.Services.AddIdempotency().AddDynamoDBStore(options => options.TableName = "payments-idempotency");
        #endregion
        builder.Services.Configure<DynamoDBIdempotencyStoreOptions>(options => options.ServiceUrl = "http://localhost:8000");
        await AssertStoreAsync("DynamoDBIdempotencyStore");
    }

    [Fact]
    public async Task The_applications_database()
    {
        var builder = _builder;
        #region docs: ef-store
        builder.Services.AddDbContext<Shop>(options => options.UseSqlite(builder.Configuration.GetConnectionString("Shop"))); // or UseNpgsql, UseSqlServer, UseMySQL
        builder.Services.AddIdempotency().AddEntityFrameworkCoreStore<Shop>();
        #endregion
        builder.Configuration.AddInMemoryCollection([new("ConnectionStrings:Shop", "Data Source=shop.db")]);
        await AssertStoreAsync("EntityFrameworkCoreIdempotencyStore");
    }

    [Fact]
    public async Task The_health_check_reads_the_store()
    {
        var builder = _builder;
        builder.Services.AddIdempotency();
        #region docs: health-check
        builder.Services.AddHealthChecks().AddIdempotencyStore();
        #endregion
        await using var services = builder.Services.BuildServiceProvider();
        var report = await services.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);
        Assert.Equal((HealthStatus.Healthy, "idempotency-store"), (report.Status, Assert.Single(report.Entries).Key));
    }

    [Fact]
    public async Task Protected_responses_are_replayed()
    {
        var builder = _builder;
        var keys = Directory.CreateTempSubdirectory("idempotency-keys-");
        #region docs: protect-responses
        builder.Services.AddDataProtection().SetApplicationName("payments").PersistKeysToFileSystem(keys);
        builder.Services.AddIdempotency().AddRedisStore("localhost:6379").ProtectResponses();
        #endregion
        builder.Services.AddIdempotency().AddStore<InMemoryIdempotencyStore>(); // the last one counts
        builder.Services.Configure<IdempotencyOptions>(options => options.LocalCacheMaxEntries = 0);
        await using var app = builder.Build();
        app.UseIdempotency();
        app.MapPost("/", () => "paid").WithIdempotency();
        using var client = await app.StartedAsync();
        using var first = await client.PostAsync("/", "k", "{}");
        using var second = await client.PostAsync("/", "k", "{}");
        Assert.True(second.IsReplay());
        Assert.Equal("paid", await second.TextAsync());
        Assert.NotEmpty(keys.GetFiles());
        keys.Delete(recursive: true);
    }

    private async Task AssertStoreAsync(string name)
    {
        await using var services = _builder.Services.BuildServiceProvider();
        Assert.Contains(name, services.GetRequiredService<IIdempotencyStore>().GetType().Name, StringComparison.Ordinal);
        Assert.True(services.GetRequiredService<IOptions<IdempotencyOptions>>().Value.Enabled);
    }
}
