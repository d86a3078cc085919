using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Redis.Tests;

/// <summary>The Redis store sits the exam, against a real server.</summary>
public sealed class RedisConformanceTests : StoreConformanceTests, IDisposable
{
    private readonly RedisIdempotencyStore _store;

    public RedisConformanceTests(RedisServer server) => _store = RedisStoreTests.Create(server.Configuration);

    protected override IIdempotencyStore Store => _store;

    // Time must really pass. Long enough that what is asserted while something lasts is asserted in time on a busy machine; what is asserted
    // after its end holds however late it is asserted.
    protected override TimeSpan Brief => TimeSpan.FromSeconds(2);

    protected override Task PassAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System);

    public void Dispose() => _store.Dispose();
}

/// <summary>What is Redis's own: scripts that are forgotten, servers that come late or go, keys that hold something else.</summary>
public sealed class RedisStoreTests(RedisServer server)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    internal static RedisIdempotencyStore Create(string? configuration, Action<RedisIdempotencyStoreOptions>? configure = null, IConnectionMultiplexer? shared = null)
    {
        var options = new RedisIdempotencyStoreOptions { Configuration = configuration, KeyPrefix = $"test:{Guid.NewGuid():N}:" };
        configure?.Invoke(options);
        var services = new ServiceCollection();
        if (shared is not null)
        {
            services.AddSingleton(shared);
        }

        return new RedisIdempotencyStore(Options.Create(options), services.BuildServiceProvider());
    }

    private static Sha256Hash NewKey() => Sha256Hash.Of(Guid.NewGuid().ToByteArray());

    private static IdempotencyClaim NewClaim() => new() { Owner = Guid.NewGuid(), Fingerprint = NewKey(), Attempt = 1, Lease = Hour, Retention = Hour };

    private static async Task<Guid> ClaimAsync(RedisIdempotencyStore store, Sha256Hash key)
    {
        var claim = NewClaim();
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        return claim.Owner;
    }

    [Fact]
    public async Task Every_operation_is_one_command()
    {
        var port = FreePort.Next();
        using var process = await RedisServer.StartAsync(port);
        using var store = Create($"127.0.0.1:{port}");
        using var observer = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port},allowAdmin=true");
        var key = NewKey();
        await store.ReleaseAsync(key, await ClaimAsync(store, key), default); // the scripts are known now
        await store.RenewAsync(key, Guid.NewGuid(), Hour, Hour, default);
        await store.CompleteAsync(key, Guid.NewGuid(), default, Hour, default);
        await store.ReadAsync(key, default);

        foreach (var operation in new Func<Task>[]
        {
            async () => await ClaimAsync(store, key),
            async () => await store.ClaimAsync(key, NewClaim(), default),
            async () => await store.RenewAsync(key, Guid.NewGuid(), Hour, Hour, default),
            async () => await store.CompleteAsync(key, Guid.NewGuid(), new byte[10], Hour, default),
            async () => await store.ReleaseAsync(key, Guid.NewGuid(), default),
            async () => await store.ReadAsync(key, default),
        })
        {
            var before = await ScriptCallsAsync(observer, port);
            await operation();
            var after = await ScriptCallsAsync(observer, port);
            Assert.Equal(before.EvalSha + 1, after.EvalSha);
            Assert.Equal(before.Eval, after.Eval);
        }
    }

    [Fact]
    public async Task Scripts_that_the_server_forgot_are_sent_again()
    {
        using var store = Create(server.Configuration);
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration + ",allowAdmin=true");
        var key = NewKey();
        for (var i = 0; i < 3; i++)
        {
            var owner = await ClaimAsync(store, key);
            await observer.GetServer(server.Configuration).ScriptFlushAsync();
            Assert.True(await store.RenewAsync(key, owner, Hour, Hour, default));
            await observer.GetServer(server.Configuration).ScriptFlushAsync();
            Assert.True(await store.ReleaseAsync(key, owner, default));
        }
    }

    [Fact]
    public async Task A_server_may_come_up_after_the_application_go_and_come_back()
    {
        var port = FreePort.Next();
        using var store = Create($"127.0.0.1:{port},connectTimeout=500,syncTimeout=500");
        await Assert.ThrowsAnyAsync<Exception>(() => ClaimAsync(store, NewKey()));
        for (var round = 0; round < 2; round++)
        {
            using (await RedisServer.StartAsync(port))
            {
                await UntilItWorksAsync(store);
            }

            await Assert.ThrowsAnyAsync<Exception>(() => ClaimAsync(store, NewKey()));
        }
    }

    [Fact]
    public async Task Every_key_expires_with_its_record()
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration, options => options.KeyPrefix = $"expiry:{Guid.NewGuid():N}:");
        var key = NewKey();
        var name = (RedisKey)$"{PrefixOf(store)}{key}";
        var owner = await ClaimAsync(store, key);
        Assert.InRange(await TimeToLiveAsync(), 2 * Hour - TimeSpan.FromMinutes(1), 2 * Hour);
        await store.RenewAsync(key, owner, 3 * Hour, Hour, default);
        Assert.InRange(await TimeToLiveAsync(), 4 * Hour - TimeSpan.FromMinutes(1), 4 * Hour);
        await store.CompleteAsync(key, owner, new byte[1], Hour, default);
        Assert.InRange(await TimeToLiveAsync(), Hour - TimeSpan.FromMinutes(1), Hour);

        async Task<TimeSpan> TimeToLiveAsync() => (await observer.GetDatabase().KeyTimeToLiveAsync(name))!.Value;
    }

    [Fact]
    public async Task What_is_no_record_is_unreadable_and_left_alone()
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration);
        var database = observer.GetDatabase();
        var key = NewKey();
        var name = (RedisKey)$"{PrefixOf(store)}{key}";

        await database.StringSetAsync(name, "a string");
        await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(() => ClaimAsync(store, key));
        await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(async () => await store.ReadAsync(key, default));
        Assert.Equal("a string", (string?)await database.StringGetAsync(name));
        await database.KeyDeleteAsync(name);

        var owner = await ClaimAsync(store, key);
        foreach (var (field, value) in new[] { ("status", "PAUSED"), ("owner", "me"), ("fingerprint", "xyz"), ("attempt", "-"), ("lease", "soon"), ("gone", "") })
        {
            var good = await database.HashGetAsync(name, field);
            await database.HashSetAsync(name, field, value);
            await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(() => ClaimAsync(store, key));
            await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(async () => await store.ReadAsync(key, default));
            await database.HashDeleteAsync(name, field);
            await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(() => ClaimAsync(store, key));
            await database.HashSetAsync(name, field, good);
        }

        Assert.Equal(owner, (await store.ReadAsync(key, default))!.Owner);
    }

    [Fact]
    public async Task The_applications_connection_is_used_when_the_options_name_none()
    {
        using var shared = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using (var store = Create(null, shared: shared))
        {
            await ClaimAsync(store, NewKey());
        }

        Assert.True(shared.IsConnected); // and not closed: it is the application's
        var failure = Assert.Throws<InvalidOperationException>(() => Create(null));
        Assert.Contains("AddRedisStore", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Configuration", "password=only")]
    [InlineData("Configuration", "host,nonsense=1")]
    public void Options_that_make_no_sense_are_refused(string named, string configuration)
    {
        var services = new ServiceCollection();
        services.AddIdempotency().AddRedisStore(configuration);
        var failure = Assert.Throws<OptionsValidationException>(() => services.BuildServiceProvider().GetRequiredService<IOptions<RedisIdempotencyStoreOptions>>().Value);
        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_password_and_a_database_number_are_heeded()
    {
        var port = FreePort.Next();
        using var process = await RedisServer.StartAsync(port, "--requirepass", "secret");
        using var wrong = Create($"127.0.0.1:{port},connectTimeout=500,syncTimeout=500");
        await Assert.ThrowsAnyAsync<Exception>(() => ClaimAsync(wrong, NewKey()));
        using var store = Create($"127.0.0.1:{port},password=secret", options => options.Database = 3);
        var key = NewKey();
        await ClaimAsync(store, key);
        using var observer = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port},password=secret");
        Assert.True(await observer.GetDatabase(3).KeyExistsAsync($"{PrefixOf(store)}{key}"));
    }

    [Fact]
    public async Task Over_TLS()
    {
        var folder = Directory.CreateTempSubdirectory("idempotency-tls-").FullName;
        using (var key = System.Security.Cryptography.RSA.Create(2048))
        {
            var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=localhost", key, System.Security.Cryptography.HashAlgorithmName.SHA256, System.Security.Cryptography.RSASignaturePadding.Pkcs1);
            using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            await File.WriteAllTextAsync(Path.Combine(folder, "cert.pem"), certificate.ExportCertificatePem());
            await File.WriteAllTextAsync(Path.Combine(folder, "key.pem"), key.ExportPkcs8PrivateKeyPem());
        }

        var port = FreePort.Next();
        var cert = Path.Combine(folder, "cert.pem");
        using var process = await RedisServer.StartAsync(FreePort.Next(), "--tls-port", $"{port}", "--tls-cert-file", cert, "--tls-key-file", Path.Combine(folder, "key.pem"), "--tls-ca-cert-file", cert, "--tls-auth-clients", "no");
        var options = ConfigurationOptions.Parse($"localhost:{port},ssl=true,sslHost=localhost");
        options.CertificateValidation += (_, certificate, _, _) => certificate?.Subject == "CN=localhost"; // signed by itself
        using var shared = await ConnectionMultiplexer.ConnectAsync(options);
        using var store = Create(null, shared: shared);
        var record = NewKey();
        Assert.True(await store.CompleteAsync(record, await ClaimAsync(store, record), new byte[] { 1 }, Hour, default));

        using var untrusting = Create($"localhost:{port},ssl=true,sslHost=localhost,connectTimeout=1000,syncTimeout=1000");
        await Assert.ThrowsAnyAsync<Exception>(() => ClaimAsync(untrusting, NewKey()));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task When_its_memory_is_full_no_claim_is_taken_and_what_it_has_stays()
    {
        var port = FreePort.Next();
        using var process = await RedisServer.StartAsync(port);
        using var store = Create($"127.0.0.1:{port}");
        using var observer = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port},allowAdmin=true");
        var kept = NewKey();
        var owner = await ClaimAsync(store, kept);
        Assert.True(await store.CompleteAsync(kept, owner, new byte[100], Hour, default));
        var lapsing = NewKey();
        var lapsed = NewClaim() with { Lease = TimeSpan.FromMilliseconds(1) };
        Assert.True((await store.ClaimAsync(lapsing, lapsed, default)).IsAcquired);
        await observer.GetServer("127.0.0.1", port).ConfigSetAsync("maxmemory", "800kb");

        var key = NewKey();
        await Assert.ThrowsAsync<RedisServerException>(() => ClaimAsync(store, key));
        await Assert.ThrowsAsync<RedisServerException>(async () => await store.ClaimAsync(lapsing, NewClaim() with { Supersedes = lapsed.Owner, Attempt = 2 }, default));
        Assert.Null(await store.ReadAsync(key, default));
        Assert.Equal(100, (await store.ReadAsync(kept, default))!.Payload.Length);
        Assert.Equal(lapsed.Owner, (await store.ReadAsync(lapsing, default))!.Owner);

        await observer.GetServer("127.0.0.1", port).ConfigSetAsync("maxmemory", "0");
        await ClaimAsync(store, key);
    }

    [Fact]
    public async Task After_it_is_disposed_it_makes_no_connection()
    {
        var store = Create(server.Configuration);
        store.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => ClaimAsync(store, NewKey()));
    }

    [Fact]
    public async Task Who_blocks_after_a_call_does_not_block_the_calls_of_others()
    {
        using var store = Create(server.Configuration);
        for (var i = 0; i < 20; i++)
        {
            await store.ClaimAsync(NewKey(), NewClaim(), default);
            // On the very thread that the call came back on, as a handler might.
            var other = store.ReadAsync(NewKey(), default).AsTask();
            Assert.True(((IAsyncResult)other).AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(10)), "a call that cannot come back while this thread is blocked");
        }
    }

    [Fact]
    public async Task A_reply_that_is_lost_leaves_a_claim_that_its_owner_can_release()
    {
        using var proxy = new TcpProxy(int.Parse(server.Configuration.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture));
        using var store = Create($"127.0.0.1:{proxy.Port},syncTimeout=1000");
        await UntilItWorksAsync(store);
        var key = NewKey();
        var claim = NewClaim();
        proxy.CutReplies(1);
        await Assert.ThrowsAnyAsync<Exception>(async () => await store.ClaimAsync(key, claim, default));
        await UntilItWorksAsync(store);
        Assert.Equal(claim.Owner, (await store.ReadAsync(key, default))!.Owner);
        Assert.True(await store.ReleaseAsync(key, claim.Owner, default));
    }

    private static string PrefixOf(RedisIdempotencyStore store) => store.KeyPrefix;

    private static async Task UntilItWorksAsync(RedisIdempotencyStore store)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            try
            {
                await ClaimAsync(store, NewKey());
                return;
            }
            catch (Exception) when (!deadline.IsCancellationRequested)
            {
                await tick.WaitForNextTickAsync();
            }
        }
    }

    private static async Task<(long Eval, long EvalSha)> ScriptCallsAsync(ConnectionMultiplexer observer, int port)
    {
        var statistics = (await observer.GetServer("127.0.0.1", port).InfoAsync("commandstats")).SelectMany(group => group).ToDictionary(pair => pair.Key, pair => pair.Value);
        return (Calls("cmdstat_eval"), Calls("cmdstat_evalsha"));

        long Calls(string name) => statistics.TryGetValue(name, out var text)
            ? long.Parse(text.Split(',')[0].Split('=')[1], System.Globalization.CultureInfo.InvariantCulture)
            : 0;
    }
}
