using System.Data;
using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>What is missing or makes no sense fails when the host starts, with a message that names the fix.</summary>
public sealed class StartupTests
{
    private const string Nowhere = "Host=nowhere.invalid;Timeout=1";

    private sealed class WithoutRecords(DbContextOptions<WithoutRecords> options) : DbContext(options);

    private sealed class Converting(DbContextOptions<Converting> options) : DbContext(options)
    {
        protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) => configurationBuilder.Properties<Guid>().HaveConversion<string>();

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddIdempotencyRecords();
    }

    /// <summary>Starts a host, and stops it.</summary>
    /// <returns>The store, and how many connections were opened.</returns>
    private static async Task<(IIdempotencyStore Store, int Connections)> StartAsync<TDbContext>(Action<IServiceCollection> register, Action<EntityFrameworkCoreIdempotencyStoreOptions>? configure = null, Action<IIdempotencyBuilder>? more = null)
        where TDbContext : DbContext
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        register(builder.Services);
        var idempotency = builder.Services.AddIdempotency().AddEntityFrameworkCoreStore<TDbContext>(configure);
        more?.Invoke(idempotency);
        var connections = new CountedConnections();
        builder.Services.ConfigureDbContext<TDbContext>(options => options.AddInterceptors(connections));
        using var host = builder.Build();
        await host.StartAsync();
        var store = host.Services.GetRequiredService<IIdempotencyStore>();
        await host.StopAsync();
        return (store, connections.Opened);
    }

    private static async Task FailsAsync<TDbContext>(string message, Action<IServiceCollection> register, Action<EntityFrameworkCoreIdempotencyStoreOptions>? configure = null)
        where TDbContext : DbContext
    {
        var failed = await Assert.ThrowsAnyAsync<Exception>(() => StartAsync<TDbContext>(register, configure));
        Assert.True(failed is InvalidOperationException or OptionsValidationException);
        Assert.Contains(message, failed.Message, StringComparison.Ordinal);
    }

    private static void Register(IServiceCollection services) => services.AddDbContext<Shop>(options => options.UseNpgsql(Nowhere));

    [Fact]
    public async Task What_is_right_starts_with_one_look_at_the_table()
    {
        var (store, connections) = await StartAsync<Shop>(Register);
        Assert.IsType<EntityFrameworkCoreIdempotencyStore<Shop>>(store);
        Assert.Equal(1, connections);
    }

    [Fact]
    public async Task No_connection_is_made_where_the_check_is_off() => Assert.Equal(0, (await StartAsync<Shop>(Register, options => options.CheckTableOnStart = false)).Connections);

    [Fact]
    public Task A_context_that_is_not_registered_fails() => FailsAsync<Shop>("Call builder.Services.AddDbContext<Shop>(...)", _ => { });

    [Fact]
    public Task A_model_without_records_fails() =>
        FailsAsync<WithoutRecords>("Call modelBuilder.AddIdempotencyRecords() in OnModelCreating", services => services.AddDbContext<WithoutRecords>(options => options.UseNpgsql(Nowhere)));

    [Fact]
    public Task Columns_with_a_value_converter_fail() =>
        FailsAsync<Converting>("has a value converter", services => services.AddDbContext<Converting>(options => options.UseNpgsql(Nowhere)));

    [Fact]
    public async Task An_open_connection_that_all_contexts_share_fails()
    {
        await using var connection = new SqliteConnection("Data Source=:memory:");
        await connection.OpenAsync();
        await FailsAsync<Shop>("share one connection", services => services.AddDbContext<Shop>(options => options.UseSqlite(connection)));
    }

    [Theory]
    [InlineData("Data Source=:memory:")]
    [InlineData("Data Source=name;Mode=Memory")]
    [InlineData("Data Source=")]
    public Task A_database_in_memory_that_each_connection_has_for_itself_fails(string connectionString) =>
        FailsAsync<Shop>("Mode=Memory;Cache=Shared", services => services.AddDbContext<Shop>(options => options.UseSqlite(connectionString)));

    [Fact]
    public async Task Options_that_make_no_sense_fail()
    {
        await FailsAsync<Shop>("CommandTimeout", Register, options => options.CommandTimeout = TimeSpan.Zero);
        await FailsAsync<Shop>("RemovalInterval", Register, options => options.RemovalInterval = TimeSpan.FromDays(2));
        await FailsAsync<Shop>("RemovalBatchSize", Register, options => options.RemovalBatchSize = 0);
        await FailsAsync<Shop>("IsolationLevel", Register, options => options.IsolationLevel = IsolationLevel.ReadUncommitted);
        Assert.IsType<EntityFrameworkCoreIdempotencyStore<Shop>>((await StartAsync<Shop>(Register, options => options.RemovalInterval = TimeSpan.Zero)).Store);
    }

    [Fact]
    public async Task Nothing_is_asked_of_a_context_whose_store_was_replaced_by_another()
    {
        var (store, connections) = await StartAsync<WithoutRecords>(services => services.AddDbContext<WithoutRecords>(options => options.UseNpgsql(Nowhere)), more: builder => builder.AddInMemoryStore());
        Assert.IsType<InMemoryIdempotencyStore>(store);
        Assert.Equal(0, connections);
    }

    private sealed class CountedConnections : DbConnectionInterceptor
    {
        private int _opened;

        public int Opened => _opened;

        public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result)
        {
            Interlocked.Increment(ref _opened);
            return result;
        }

        public override ValueTask<InterceptionResult> ConnectionOpeningAsync(DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _opened);
            return ValueTask.FromResult(result);
        }
    }
}
