using Garnet;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Redis.Tests;

/// <summary>Microsoft Garnet, in this process, as it starts when nothing but Lua is switched on.</summary>
public sealed class GarnetTests : IDisposable
{
    private readonly int _port = FreePort.Next();
    private readonly GarnetServer _server;

    public GarnetTests()
    {
        _server = Start(_port);
    }

    private static GarnetServer Start(int port)
    {
        var server = new GarnetServer(["--port", $"{port}", "--bind", "127.0.0.1", "--lua", "--memory", "64m", "--index", "16m", "--logger-level", "Error"]);
        server.Start();
        return server;
    }

    public void Dispose() => _server.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Is_rejected_with_a_message_that_names_the_fix(bool isShared)
    {
        using var shared = isShared ? await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{_port}") : null;
        var log = new FakeLogCollector();
        using var store = RedisStoreTests.Create(isShared ? null : $"127.0.0.1:{_port}", shared: shared, log: log);

        for (var i = 0; i < 2; i++)
        {
            var rejection = await Assert.ThrowsAsync<NotSupportedException>(async () => await store.ReadAsync(RedisStoreTests.NewKey(), default));
            Assert.Contains("lua-transaction-mode", rejection.Message, StringComparison.Ordinal);
            Assert.Contains(nameof(RedisIdempotencyStoreOptions.GarnetRunsScriptsAsTransactions), rejection.Message, StringComparison.Ordinal);
        }

        Assert.Equal(LogLevel.Critical, Assert.Single(log.Entries).Level);
    }

    [Fact]
    public async Task Is_rejected_too_when_it_starts_after_the_application()
    {
        var port = FreePort.Next();
        using var store = RedisStoreTests.Create($"127.0.0.1:{port},connectTimeout=500");
        await Assert.ThrowsAsync<RedisConnectionException>(async () => await store.ReadAsync(RedisStoreTests.NewKey(), default));
        using var late = Start(port);
        await RedisStoreTests.UntilAsync(async () => await Assert.ThrowsAnyAsync<Exception>(async () => await store.ReadAsync(RedisStoreTests.NewKey(), default)) is NotSupportedException);
    }

    [Fact]
    public async Task The_probe_of_an_owner_without_a_record_creates_no_key()
    {
        using var store = RedisStoreTests.Create($"127.0.0.1:{_port}", options => options.GarnetRunsScriptsAsTransactions = true);
        var key = RedisStoreTests.NewKey();

        Assert.False(await store.RenewAsync(key, Guid.NewGuid(), TimeSpan.FromHours(1), TimeSpan.FromHours(1), default));
        Assert.False(await store.CompleteAsync(key, Guid.NewGuid(), new byte[1], TimeSpan.FromHours(1), default));
        Assert.False(await store.ReleaseAsync(key, Guid.NewGuid(), default));

        Assert.Null(await store.ReadAsync(key, default));
    }
}

/// <summary>The conformance tests of every store, on a Garnet that runs scripts as transactions.</summary>
public sealed class GarnetConformanceTests(GarnetConformanceTests.Transactional garnet) : StoreConformanceTests, IClassFixture<GarnetConformanceTests.Transactional>
{
    protected override IIdempotencyStore Store => garnet.Store;

    protected override TimeSpan Brief => TimeSpan.FromSeconds(2);

    protected override Task PassAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System);

    public sealed class Transactional : IDisposable
    {
        private readonly GarnetServer _server;

        public Transactional()
        {
            var port = FreePort.Next();
            _server = new GarnetServer(["--port", $"{port}", "--bind", "127.0.0.1", "--lua", "--lua-transaction-mode", "--memory", "64m", "--index", "16m", "--logger-level", "Error"]);
            _server.Start();
            Store = RedisStoreTests.Create($"127.0.0.1:{port}", options => options.GarnetRunsScriptsAsTransactions = true);
        }

        public RedisIdempotencyStore Store { get; }

        public void Dispose()
        {
            Store.Dispose();
            _server.Dispose();
        }
    }
}
