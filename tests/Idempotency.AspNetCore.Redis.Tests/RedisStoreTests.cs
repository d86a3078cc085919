using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Redis.Tests;

/// <summary>The conformance tests for the Redis store, against a real server.</summary>
public sealed class RedisConformanceTests : StoreConformanceTests, IDisposable
{
    private readonly RedisIdempotencyStore _store;

    public RedisConformanceTests(RedisServer server) => _store = RedisStoreTests.Create(server.Configuration);

    protected override IIdempotencyStore Store => _store;

    // The server has its own clock: time must really pass.
    protected override Task PassAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System);

    public void Dispose() => _store.Dispose();
}

/// <summary>What is Redis's own: scripts that are forgotten, servers that come late or go, keys that hold something else.</summary>
public sealed class RedisStoreTests(RedisServer server)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    // What a lease may be longer than was asked for: Redis knows no parts of it.
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

    /// <summary>A store that nothing in these tests is too slow for: what a busy machine takes is no fault of the store's.</summary>
    internal static RedisIdempotencyStore Create(string? configuration, Action<RedisIdempotencyStoreOptions>? configure = null, IConnectionMultiplexer? shared = null, FakeLogCollector? log = null)
    {
        var options = new RedisIdempotencyStoreOptions { Configuration = configuration, KeyPrefix = $"test:{Guid.NewGuid():N}:", CallTimeout = TimeSpan.FromSeconds(30) };
        configure?.Invoke(options);
        var services = new ServiceCollection();
        if (shared is not null)
        {
            services.AddSingleton(shared);
        }

        if (log is not null)
        {
            services.AddLogging(logging => logging.AddProvider(new FakeLoggerProvider(log)));
        }

        return new RedisIdempotencyStore(Options.Create(options), services.BuildServiceProvider());
    }

    internal static StoreKey NewKey() => new(Sha256Hash.Of(Guid.NewGuid().ToByteArray()));

    internal static IdempotencyClaim NewClaim() => new() { Owner = Guid.NewGuid(), Fingerprint = new Fingerprint(Sha256Hash.Of("the request"u8)), Attempt = 1, Lease = Hour, Retention = Hour };

    internal static IdempotencySteps Steps(int version, params byte[] data) => new() { Version = version, Data = data, EffectsStarted = false };

    internal static async Task<Guid> ClaimAsync(RedisIdempotencyStore store, StoreKey key)
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
        await store.SaveStepsAsync(key, Guid.NewGuid(), Steps(1, 1), Hour, Hour, default);
        await store.ClaimAsync(key, NewClaim() with { Supersedes = Guid.NewGuid() }, default);
        var stepped = NewKey();
        var owner = await ClaimAsync(store, stepped);

        foreach (var operation in new Func<Task>[]
        {
            async () => await ClaimAsync(store, key),
            async () => await store.ClaimAsync(key, NewClaim(), default),
            async () => await store.RenewAsync(key, Guid.NewGuid(), Hour, Hour, default),
            async () => await store.CompleteAsync(key, Guid.NewGuid(), new byte[10], Hour, default),
            async () => await store.ReleaseAsync(key, Guid.NewGuid(), default),
            async () => await store.ReadAsync(key, default),
            async () => Assert.True(await store.SaveStepsAsync(stepped, owner, Steps(1, 1, 2), Hour, Hour, default)),
            async () => Assert.True(await store.ReleaseAsync(stepped, owner, default)),
            async () => Assert.Equal([1, 2], (await store.ClaimAsync(stepped, NewClaim() with { Supersedes = Guid.Empty, Attempt = 2 }, default)).Steps.ToArray()),
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
    public async Task Every_key_expires_with_its_record()
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration, options => options.KeyPrefix = $"expiry:{Guid.NewGuid():N}:");
        var key = NewKey();
        var name = (RedisKey)$"{PrefixOf(store)}{key}";
        var owner = await ClaimAsync(store, key);
        Assert.InRange(await TimeToLiveAsync(), 2 * Hour - TimeSpan.FromMinutes(1), 2 * Hour + Tick);
        await store.RenewAsync(key, owner, 3 * Hour, Hour, default);
        Assert.InRange(await TimeToLiveAsync(), 4 * Hour - TimeSpan.FromMinutes(1), 4 * Hour + Tick);
        await store.CompleteAsync(key, owner, new byte[1], Hour, default);
        Assert.InRange(await TimeToLiveAsync(), Hour - TimeSpan.FromMinutes(1), Hour);

        async Task<TimeSpan> TimeToLiveAsync() => (await observer.GetDatabase().KeyTimeToLiveAsync(name))!.Value;
    }

    [Fact]
    public async Task An_expiry_is_set_with_every_write()
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration);
        var (key, database) = (NewKey(), observer.GetDatabase());
        var claim = NewClaim() with { Lease = TimeSpan.FromMilliseconds(1) };
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        await PersistAsync();
        Assert.True(await store.RenewAsync(key, claim.Owner, TimeSpan.FromMilliseconds(1), Hour, default));
        await UntilAsync(async () => (await store.ReadAsync(key, default))!.IsAbandoned);

        var next = NewClaim() with { Supersedes = claim.Owner, Attempt = 2 };
        Assert.True((await store.ClaimAsync(key, next, default)).IsAcquired);
        await PersistAsync();
        Assert.True(await store.MarkEffectsStartedAsync(key, next.Owner, Hour, Hour, default));
        await PersistAsync();
        Assert.True(await store.SaveStepsAsync(key, next.Owner, Steps(1, 1), Hour, Hour, default));
        await PersistAsync();
        Assert.True(await store.ReleaseAsync(key, next.Owner, default));
        Assert.True((await store.ReadAsync(key, default))!.IsAbandoned); // as its owner says, whatever the expiry was
        var last = NewClaim() with { Supersedes = Guid.Empty, Attempt = 3 };
        Assert.True((await store.ClaimAsync(key, last, default)).IsAcquired);
        await PersistAsync();
        Assert.True(await store.CompleteAsync(key, last.Owner, new byte[1], Hour, default));
        await PersistAsync();

        // Takes away the expiry that there must be, so that the next write has to set one.
        async Task PersistAsync() => Assert.True(await database.KeyPersistAsync(NameOf(store, key)));
    }

    [Fact]
    public async Task A_record_whose_expiry_was_taken_away_stays()
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration);
        var (running, completed, database) = (NewKey(), NewKey(), observer.GetDatabase());
        var claim = NewClaim() with { Lease = TimeSpan.FromMilliseconds(1) };
        Assert.True((await store.ClaimAsync(running, claim, default)).IsAcquired);
        await UntilAsync(async () => (await store.ReadAsync(running, default))!.IsAbandoned);

        Assert.True(await database.KeyPersistAsync(NameOf(store, running)));
        Assert.True(await store.CompleteAsync(completed, await ClaimAsync(store, completed), new byte[] { 1 }, Hour, default));
        Assert.True(await database.KeyPersistAsync(NameOf(store, completed)));

        // Nobody knows whether its lease is over: its owner may be alive.
        foreach (var held in new[]
        {
            (await store.ClaimAsync(running, NewClaim(), default)).Existing,
            (await store.ClaimAsync(running, NewClaim() with { Supersedes = claim.Owner, Attempt = 2 }, default)).Existing,
            await store.ReadAsync(running, default),
        })
        {
            Assert.Equal(claim.Owner, held!.Owner);
            Assert.False(held.IsAbandoned);
        }

        var kept = (await store.ClaimAsync(completed, NewClaim(), default)).Existing!;
        Assert.Equal([1], kept.Payload.ToArray());
        Assert.Equal(Hour, kept.RetentionRemaining);
        Assert.True(await store.CompleteAsync(running, claim.Owner, default, Hour, default)); // it was alive
        Assert.NotNull(await database.KeyTimeToLiveAsync(NameOf(store, running)));
    }

    [Theory]
    [InlineData(10 * 365.25)]
    [InlineData(10_675_199)] // as long as time is
    public async Task Retention_can_be_very_long(double days)
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration);
        var (key, retention) = (NewKey(), TimeSpan.FromDays(days));
        var claim = NewClaim() with { Retention = retention, Attempt = int.MaxValue - 1 };
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        var running = (await store.ReadAsync(key, default))!;
        Assert.InRange(running.LeaseRemaining, Hour - TimeSpan.FromMinutes(1), Hour + Tick);
        Assert.InRange(running.RetentionRemaining, retention, TimeSpan.MaxValue);
        await observer.GetDatabase().ExecuteAsync("PEXPIRE", NameOf(store, key), 9_000_000_000_000_000); // longer still, by somebody's hand
        Assert.Equal(running.Owner, (await store.ReadAsync(key, default))!.Owner);
        Assert.True(await store.RenewAsync(key, claim.Owner, retention, retention, default));
        Assert.False((await store.ClaimAsync(key, NewClaim() with { Supersedes = claim.Owner, Attempt = int.MaxValue }, default)).IsAcquired);
        Assert.False((await store.ReadAsync(key, default))!.IsAbandoned);
        Assert.True(await store.RenewAsync(key, claim.Owner, TimeSpan.Zero, retention, default));
        Assert.True((await store.ReadAsync(key, default))!.IsAbandoned);
        var next = NewClaim() with { Retention = TimeSpan.MaxValue, Lease = TimeSpan.MaxValue, Supersedes = claim.Owner, Attempt = int.MaxValue };
        Assert.True((await store.ClaimAsync(key, next, default)).IsAcquired);
        Assert.False((await store.ReadAsync(key, default))!.IsAbandoned);
        Assert.Equal(int.MaxValue, (await store.ReadAsync(key, default))!.Attempt);
        Assert.True(await store.CompleteAsync(key, next.Owner, new byte[1], retention, default));
        Assert.InRange((await store.ReadAsync(key, default))!.RetentionRemaining, retention - TimeSpan.FromMinutes(1), retention);
    }

    [Fact]
    public async Task A_retention_that_is_none_is_over_at_once()
    {
        using var store = Create(server.Configuration);
        var key = NewKey();
        Assert.True(await store.CompleteAsync(key, await ClaimAsync(store, key), new byte[1], TimeSpan.Zero, default));
        await UntilAsync(async () => await store.ReadAsync(key, default) is null);

        await ClaimAsync(store, key);
    }

    [Fact]
    public async Task What_is_renewed_for_another_retention_has_it()
    {
        using var store = Create(server.Configuration);
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        foreach (var (lease, retention) in new[] { (Hour, 3 * Hour), (2 * Hour, Hour / 2), (Hour / 2, TimeSpan.FromMilliseconds(7)) })
        {
            Assert.True(await store.RenewAsync(key, owner, lease, retention, default));
            var record = (await store.ReadAsync(key, default))!;
            Assert.InRange(record.LeaseRemaining, lease - TimeSpan.FromMinutes(1), lease + Tick);
            Assert.InRange(record.RetentionRemaining, lease + retention - TimeSpan.FromMinutes(1), lease + retention + Tick);
            Assert.False(record.EffectsStarted);
            Assert.Equal(1, record.Attempt);
        }
    }

    [Fact]
    public async Task Owners_fingerprints_and_data_may_be_any_bytes()
    {
        using var store = Create(server.Configuration);
        var every = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        byte[][] all = [every, [0], "\r\n\0\r\n$-1\r\n"u8.ToArray(), "1I-0000000001000000000000000"u8.ToArray(), []];
        foreach (var bytes in all)
        {
            foreach (var fill in new byte[] { 0, (byte)'\r', (byte)'\n', (byte)'%', 0xFF })
            {
                var sixteen = Enumerable.Repeat(fill, 16).ToArray();
                var key = NewKey();
                var claim = NewClaim() with { Owner = new Guid(sixteen), Fingerprint = new Fingerprint(Sha256Hash.FromBytes([.. sixteen, .. sixteen])), Lease = TimeSpan.Zero };
                Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
                await UntilAsync(async () => (await store.ReadAsync(key, default))!.IsAbandoned);

                byte[] steps = [fill, .. bytes];
                Assert.True(await store.SaveStepsAsync(key, claim.Owner, Steps(int.MaxValue - 1, steps), TimeSpan.Zero, Hour, default));
                await UntilAsync(async () => (await store.ReadAsync(key, default))!.IsAbandoned);

                var next = claim with { Owner = new Guid([.. sixteen[1..], 7]), Supersedes = claim.Owner, Attempt = 2, Lease = Hour };
                Assert.Equal(steps, (await store.ClaimAsync(key, next, default)).Steps.ToArray());
                Assert.True(await store.RenewAsync(key, next.Owner, Hour, Hour, default));
                Assert.Equal(steps, (await store.ReadAsync(key, default))!.Payload.ToArray());
                Assert.True(await store.SaveStepsAsync(key, next.Owner, Steps(int.MaxValue, steps), Hour, Hour, default));
                Assert.True(await store.CompleteAsync(key, next.Owner, bytes, Hour, default));
                var record = (await store.ClaimAsync(key, NewClaim(), default)).Existing!;
                Assert.Equal(bytes, record.Payload.ToArray());
                Assert.Equal((next.Owner, next.Fingerprint, 2), (record.Owner, record.Fingerprint, record.Attempt));
            }
        }
    }

    [Fact]
    public async Task What_is_no_record_is_unreadable_and_left_alone()
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration);
        var database = observer.GetDatabase();
        var key = NewKey();
        var name = NameOf(store, key);
        var owner = (await ClaimedAsync()).Owner;
        var good = (byte[])(await database.StringGetAsync(name))!;
        await store.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default);
        var completed = (byte[])(await database.StringGetAsync(name))!;

        byte[][] strings =
        [
            "a string"u8.ToArray(),
            [],
            [.. Enumerable.Repeat((byte)'1', 200)],
            good[..1], good[..28], good[..44], good[..^1], completed[..^2], // cut
            [.. good, 0], [.. good, .. "0000000001"u8], [.. good, .. "000000000x1"u8], // in progress, with data that is no steps
            With(good, 0, "2"), // another version
            With(good, 1, "P"),
            With(good, 2, "0"),
            With(good, 3, "          "), With(good, 3, "-000000001"),
            With(good, 13, "            inf"), With(good, 13, "0x0000000000001"),
            With(completed, 0, "2"), With(completed, 3, "9999999999"), With(completed, 13, "               "), With(completed, 13, "999999999999999"),
        ];
        foreach (var nonsense in strings)
        {
            await database.StringSetAsync(name, nonsense, Hour);
            await AssertUnreadableAsync();
            Assert.Equal(nonsense, (byte[]?)await database.StringGetAsync(name));
        }

        // Other types: the last is what a record looked like before the first release.
        await database.KeyDeleteAsync(name);
        await database.ListRightPushAsync(name, "an element");
        await AssertUnreadableAsync();
        await database.KeyDeleteAsync(name);
        await database.HashSetAsync(name, [new("status", "INPROGRESS"), new("owner", $"{owner:N}"), new("lease", "0"), new("gone", "99999999999999")]);
        await AssertUnreadableAsync();
        Assert.Equal(4, await database.HashLengthAsync(name));

        async Task AssertUnreadableAsync()
        {
            await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(() => ClaimAsync(store, key));
            await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(async () => await store.ClaimAsync(key, NewClaim() with { Supersedes = owner, Attempt = 2 }, default));
            await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(async () => await store.ReadAsync(key, default));
        }

        async Task<IdempotencyClaim> ClaimedAsync()
        {
            var lapsed = NewClaim() with { Lease = TimeSpan.Zero };
            Assert.True((await store.ClaimAsync(key, lapsed, default)).IsAcquired);
            return lapsed;
        }

        static byte[] With(byte[] record, int at, string text) => [.. record[..at], .. System.Text.Encoding.ASCII.GetBytes(text), .. record[(at + text.Length)..]];
    }

    [Fact]
    public async Task What_is_no_record_is_nobodys_claim()
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration);
        var (key, database) = (NewKey(), observer.GetDatabase());
        var owner = await ClaimAsync(store, key);
        var record = (byte[])(await database.StringGetAsync(NameOf(store, key)))!;
        byte[][] strings = ["a string"u8.ToArray(), [], record[..44], [.. record, 1], [.. record, .. "0000000001"u8], [.. record, .. "000000000x1"u8], [(byte)'2', .. record[1..]]];
        foreach (var nonsense in strings)
        {
            await database.StringSetAsync(NameOf(store, key), nonsense);
            Assert.False(await store.RenewAsync(key, owner, Hour, Hour, default));
            Assert.False(await store.MarkEffectsStartedAsync(key, owner, Hour, Hour, default));
            Assert.False(await store.SaveStepsAsync(key, owner, Steps(1, 1), Hour, Hour, default));
            Assert.False(await store.CompleteAsync(key, owner, new byte[1], Hour, default));
            Assert.False(await store.ReleaseAsync(key, owner, default));
            Assert.Equal(nonsense, (byte[]?)await database.StringGetAsync(NameOf(store, key)));
            Assert.Null(await database.KeyTimeToLiveAsync(NameOf(store, key)));
        }
    }

    [Fact]
    public async Task The_head_of_a_record_is_readable()
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration);
        var (key, database) = (NewKey(), observer.GetDatabase());
        var claim = NewClaim() with { Attempt = 2, Retention = TimeSpan.FromHours(24) };
        await store.ClaimAsync(key, claim, default);
        Assert.Equal("1I-0000000002000000086400000", await HeadAsync());
        await store.MarkEffectsStartedAsync(key, claim.Owner, Hour, Hour, default);
        Assert.Equal("1I!0000000002000000003600000", await HeadAsync());
        await store.CompleteAsync(key, claim.Owner, new byte[] { 42 }, Hour, default);
        Assert.Equal("1C!0000000002000000003600000", await HeadAsync());
        byte[] fingerprint = new byte[32];
        claim.Fingerprint.Hash.CopyTo(fingerprint);
        Assert.Equal([.. claim.Owner.ToByteArray(), .. fingerprint, 42], (byte[]?)await database.StringGetRangeAsync(NameOf(store, key), 28, -1));

        async Task<string?> HeadAsync() => await database.StringGetRangeAsync(NameOf(store, key), 0, 27);
    }

    [Fact]
    public async Task Steps_stand_behind_the_head_with_their_version()
    {
        using var observer = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using var store = Create(server.Configuration);
        var (key, database) = (NewKey(), observer.GetDatabase());
        var claim = NewClaim() with { Retention = TimeSpan.FromHours(24) };
        await store.ClaimAsync(key, claim, default);
        Assert.Equal(76, await database.StringLengthAsync(NameOf(store, key))); // what a claim without steps is
        byte[] fingerprint = new byte[32];
        claim.Fingerprint.Hash.CopyTo(fingerprint);
        await store.SaveStepsAsync(key, claim.Owner, Steps(3, 7, 8) with { EffectsStarted = true }, Hour, Hour, default);
        await AssertIsAsync("1I!0000000001000000003600000", claim.Owner, [.. "0000000003"u8, 7, 8]);
        await store.SaveStepsAsync(key, claim.Owner, Steps(12, 9), Hour, 2 * Hour, default);
        await AssertIsAsync("1I-0000000001000000007200000", claim.Owner, [.. "0000000012"u8, 9]);

        // All that is left of its life is its retention now.
        Assert.True(await store.MarkEffectsStartedAsync(key, claim.Owner, Hour, 2 * Hour, default));
        Assert.True(await store.ReleaseAsync(key, claim.Owner, default));
        var released = (byte[])(await database.StringGetAsync(NameOf(store, key)))!;
        Assert.Equal("1I-0000000001", System.Text.Encoding.ASCII.GetString(released[..13]));
        Assert.InRange(long.Parse(released.AsSpan(13, 15), System.Globalization.CultureInfo.InvariantCulture), 3 * 3_600_000 - 60_000, 3 * 3_600_000 + 1);
        Assert.Equal([.. new byte[16], .. fingerprint, .. "0000000012"u8, 9], released[28..]);

        var next = claim with { Owner = Guid.NewGuid(), Attempt = 2, Retention = Hour, Supersedes = Guid.Empty };
        Assert.True((await store.ClaimAsync(key, next, default)).IsAcquired);
        await AssertIsAsync("1I-0000000002000000003600000", next.Owner, [.. "0000000012"u8, 9]);
        await store.CompleteAsync(key, next.Owner, new byte[] { 42 }, Hour, default);
        await AssertIsAsync("1C-0000000002000000003600000", next.Owner, [42]);

        async Task AssertIsAsync(string head, Guid owner, byte[] data)
        {
            var record = (byte[])(await database.StringGetAsync(NameOf(store, key)))!;
            Assert.Equal(head, System.Text.Encoding.ASCII.GetString(record[..28]));
            Assert.Equal([.. owner.ToByteArray(), .. fingerprint, .. data], record[28..]);
        }
    }

    [Fact]
    public async Task A_claim_with_steps_whose_life_is_as_long_as_time_can_be_released()
    {
        using var store = Create(server.Configuration);
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(1, 5), TimeSpan.MaxValue, TimeSpan.MaxValue, default));
        Assert.False((await store.ReadAsync(key, default))!.IsAbandoned);
        Assert.True(await store.ReleaseAsync(key, owner, default));
        var released = (await store.ReadAsync(key, default))!;
        Assert.True(released.IsAbandoned);
        Assert.InRange(released.RetentionRemaining, TimeSpan.FromDays(1_000_000), TimeSpan.MaxValue);
        Assert.Equal([5], (await store.ClaimAsync(key, NewClaim() with { Supersedes = Guid.Empty, Attempt = 2 }, default)).Steps.ToArray());
    }

    [Fact]
    public async Task A_replica_reads()
    {
        var (port, replica) = (FreePort.Next(), FreePort.Next());
        using var process = await RedisServer.StartAsync(port);
        using var second = await RedisServer.StartAsync(replica, "--replicaof", "127.0.0.1", $"{port}");
        using var observer = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{replica}");
        using var store = Create($"127.0.0.1:{port}");
        var key = NewKey();
        await store.CompleteAsync(key, await ClaimAsync(store, key), new byte[] { 1 }, Hour, default);
        using var stream = typeof(RedisIdempotencyStore).Assembly.GetManifestResourceStream("read")!;
        var script = await new StreamReader(stream).ReadToEndAsync();
        await UntilAsync(async () =>
        {
            var reply = (RedisValue[])(await observer.GetDatabase().ScriptEvaluateAsync(script, [NameOf(store, key)], flags: CommandFlags.PreferReplica | CommandFlags.NoScriptCache))!;
            return (byte[]?)reply[0] is { } record && record[1] == (byte)'C' && (long)reply[1] > (Hour - TimeSpan.FromMinutes(1)).TotalMilliseconds;
        });
    }

    [Fact]
    public async Task A_replica_does_not_tell_an_owner_that_its_claim_is_lost()
    {
        var (port, replica) = (FreePort.Next(), FreePort.Next());
        using var process = await RedisServer.StartAsync(port);
        using var second = await RedisServer.StartAsync(replica, "--replicaof", "127.0.0.1", $"{port}");
        using var observer = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{replica},allowAdmin=true");
        using var store = Create($"127.0.0.1:{port},127.0.0.1:{replica},connectTimeout=1000,syncTimeout=1000");
        var (key, database) = (NewKey(), observer.GetDatabase());
        var owner = await ClaimAsync(store, key);
        await UntilAsync(async () => (await observer.GetServer("127.0.0.1", replica).InfoAsync("replication")).SelectMany(group => group).Any(pair => pair is { Key: "master_link_status", Value: "up" }));

        // It has not heard of the claim, as one that lags.
        await database.ExecuteAsync("CONFIG", "SET", "replica-read-only", "no");
        await RedisNode.AskAsync(replica, ["FLUSHALL"]); // past the client, which would not send it to a replica
        await database.ExecuteAsync("CONFIG", "SET", "replica-read-only", "yes");
        Assert.True(await store.RenewAsync(key, owner, Hour, Hour, default));
        process.Kill();

        for (var i = 0; i < 3; i++)
        {
            await Assert.ThrowsAnyAsync<RedisException>(async () => await store.RenewAsync(key, owner, Hour, Hour, default));
            await Assert.ThrowsAnyAsync<RedisException>(async () => await store.MarkEffectsStartedAsync(key, owner, Hour, Hour, default));
            await Assert.ThrowsAnyAsync<RedisException>(async () => await store.SaveStepsAsync(key, owner, Steps(1, 1), Hour, Hour, default));
            await Assert.ThrowsAnyAsync<RedisException>(async () => await store.CompleteAsync(key, owner, new byte[1], Hour, default));
            await Assert.ThrowsAnyAsync<RedisException>(async () => await store.ReleaseAsync(key, owner, default));
        }

        // As soon as it is the primary it does.
        await database.ExecuteAsync("REPLICAOF", "NO", "ONE");
        await UntilItWorksAsync(store);
        Assert.False(await store.RenewAsync(key, owner, Hour, Hour, default));
        Assert.False(await store.CompleteAsync(key, owner, new byte[1], Hour, default));
        Assert.False(await store.ReleaseAsync(key, owner, default));
        Assert.Null(await store.ReadAsync(key, default));
    }

    [Theory]
    [InlineData("min-replicas-to-write", "1", "NOREPLICAS")]
    [InlineData("ACL", "-srem", "can't run this command")]
    public async Task A_primary_that_may_not_write_does_not_tell_an_owner_that_its_claim_is_lost(string setting, string value, string error)
    {
        using var node = new RedisNode(["--save", ""]);
        await node.StartAsync();
        using var store = Create($"127.0.0.1:{node.Port}");
        var (gone, others) = (NewKey(), NewKey());
        await ClaimAsync(store, others);
        await ReportAsync(gone, isLost: true);
        string[] forbid = setting == "ACL" ? ["ACL", "SETUSER", "default", value] : ["CONFIG", "SET", setting, value];
        string[] allow = setting == "ACL" ? ["ACL", "SETUSER", "default", "+@all"] : ["CONFIG", "SET", setting, "0"];

        // As a former primary is that has come back without its data: it has not heard of the claim, or has another's.
        Assert.Equal("OK", await node.AskAsync(forbid));
        await ReportAsync(gone, isLost: false);
        await ReportAsync(others, isLost: false);

        Assert.Equal("OK", await node.AskAsync(allow));
        await ReportAsync(gone, isLost: true);
        await ReportAsync(others, isLost: true);

        async Task ReportAsync(StoreKey key, bool isLost)
        {
            var owner = Guid.NewGuid();
            foreach (var operation in (Func<Task<bool>>[])
            [
                async () => await store.RenewAsync(key, owner, Hour, Hour, default),
                async () => await store.MarkEffectsStartedAsync(key, owner, Hour, Hour, default),
                async () => await store.SaveStepsAsync(key, owner, Steps(1, 1), Hour, Hour, default),
                async () => await store.CompleteAsync(key, owner, new byte[1], Hour, default),
                async () => await store.ReleaseAsync(key, owner, default),
            ])
            {
                if (isLost)
                {
                    Assert.False(await operation());
                }
                else
                {
                    Assert.Contains(error, (await Assert.ThrowsAsync<RedisServerException>(operation)).Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public async Task A_primary_that_may_not_write_tells_a_duplicate_only_what_cannot_be_out_of_date()
    {
        using var node = new RedisNode(["--save", ""]);
        await node.StartAsync();
        using var store = Create($"127.0.0.1:{node.Port}");
        var (running, completed) = (NewKey(), NewKey());
        await ClaimAsync(store, running);
        Assert.True(await store.CompleteAsync(completed, await ClaimAsync(store, completed), new byte[] { 1 }, Hour, default));
        Assert.Equal("OK", await node.AskAsync("CONFIG", "SET", "min-replicas-to-write", "1"));

        // As a former primary is that has come back: another server may have the response of a request that it believes to be running.
        foreach (var claim in new[] { NewClaim(), NewClaim() with { Supersedes = Guid.NewGuid(), Attempt = 2 } })
        {
            Assert.Contains("NOREPLICAS", (await Assert.ThrowsAsync<RedisServerException>(async () => await store.ClaimAsync(running, claim, default))).Message, StringComparison.Ordinal);
            Assert.Equal(IdempotencyRecordStatus.Completed, (await store.ClaimAsync(completed, claim, default)).Existing!.Status);
        }

        Assert.Equal("OK", await node.AskAsync("CONFIG", "SET", "min-replicas-to-write", "0"));
        Assert.Equal(IdempotencyRecordStatus.InProgress, (await store.ClaimAsync(running, NewClaim(), default)).Existing!.Status);
        Assert.Equal(IdempotencyRecordStatus.InProgress, (await store.ClaimAsync(running, NewClaim() with { Supersedes = Guid.NewGuid(), Attempt = 2 }, default)).Existing!.Status);
    }

    [Fact]
    public async Task A_primary_that_may_not_write_does_not_tell_an_owner_that_its_steps_are_saved()
    {
        using var node = new RedisNode(["--save", ""]);
        await node.StartAsync();
        using var store = Create($"127.0.0.1:{node.Port}");
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(1, 1), Hour, Hour, default));
        Assert.Equal("OK", await node.AskAsync("CONFIG", "SET", "min-replicas-to-write", "1"));
        foreach (var version in new[] { 1, 2 }) // of the first, the reply may have been lost
        {
            Assert.Contains("NOREPLICAS", (await Assert.ThrowsAsync<RedisServerException>(async () => await store.SaveStepsAsync(key, owner, Steps(version, 1), Hour, Hour, default))).Message, StringComparison.Ordinal);
        }

        Assert.Equal("OK", await node.AskAsync("CONFIG", "SET", "min-replicas-to-write", "0"));
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(1, 2), Hour, Hour, default));
        Assert.Equal([1], (await store.ReadAsync(key, default))!.Payload.ToArray());
    }

    [Fact]
    public async Task A_lease_is_never_over_before_its_owner_thinks_so()
    {
        using var store = Create(server.Configuration);
        var lease = TimeSpan.FromMilliseconds(3);
        for (var i = 0; i < 200; i++)
        {
            var key = NewKey();
            var claim = NewClaim() with { Lease = i % 2 == 0 ? lease : Hour };
            var askedAt = TimeProvider.System.GetTimestamp();
            Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
            if (i % 2 != 0)
            {
                askedAt = TimeProvider.System.GetTimestamp();
                Assert.True(await store.RenewAsync(key, claim.Owner, lease, Hour, default));
            }

            var next = NewClaim() with { Supersedes = claim.Owner, Attempt = 2 };
            while (!(await store.ClaimAsync(key, next, default)).IsAcquired)
            {
            }

            Assert.InRange(TimeProvider.System.GetElapsedTime(askedAt), lease, TimeSpan.MaxValue);
        }
    }

    [Fact]
    public async Task A_password_and_a_database_number_are_heeded()
    {
        var port = FreePort.Next();
        using var process = await RedisServer.StartAsync(port, "--requirepass", "secret");
        using var wrong = Create($"127.0.0.1:{port},connectTimeout=500,syncTimeout=500");
        Assert.Contains("NOAUTH", (await Assert.ThrowsAsync<RedisConnectionException>(() => ClaimAsync(wrong, NewKey()))).Message, StringComparison.Ordinal);
        using var store = Create($"127.0.0.1:{port},password=secret", options => options.Database = 3);
        var key = NewKey();
        await ClaimAsync(store, key);
        using var observer = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port},password=secret");
        Assert.True(await observer.GetDatabase(3).KeyExistsAsync($"{PrefixOf(store)}{key}"));
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
        await UntilAsync(async () => (await store.ReadAsync(lapsing, default))!.IsAbandoned); // a claim that is alive is not superseded, whatever the memory
        await observer.GetServer("127.0.0.1", port).ConfigSetAsync("maxmemory", "1");

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
    public async Task When_its_memory_is_full_what_has_happened_is_recorded_and_who_is_alive_keeps_its_claim()
    {
        var port = FreePort.Next();
        using var process = await RedisServer.StartAsync(port);
        using var store = Create($"127.0.0.1:{port}");
        using var observer = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port},allowAdmin=true");
        var (completed, running, released, stepped) = (NewKey(), NewKey(), NewKey(), NewKey());
        var (completer, runner, releaser, stepper) = (await ClaimAsync(store, completed), await ClaimAsync(store, running), await ClaimAsync(store, released), await ClaimAsync(store, stepped));
        await observer.GetServer("127.0.0.1", port).ConfigSetAsync("maxmemory", "1");
        await Assert.ThrowsAsync<RedisServerException>(() => ClaimAsync(store, NewKey()));

        var payload = new byte[5000];
        Assert.False(await store.CompleteAsync(completed, Guid.NewGuid(), payload, Hour, default));
        Assert.True(await store.CompleteAsync(completed, completer, payload, Hour, default));
        Assert.True(await store.RenewAsync(running, runner, 2 * Hour, Hour, default));
        Assert.True(await store.MarkEffectsStartedAsync(running, runner, 3 * Hour, 2 * Hour, default));
        Assert.True(await store.ReleaseAsync(released, releaser, default));
        Assert.True(await store.SaveStepsAsync(stepped, stepper, Steps(1, payload), Hour, Hour, default));
        Assert.True(await store.ReleaseAsync(stepped, stepper, default));
        Assert.True((await store.ReadAsync(stepped, default))!.IsAbandoned);
        Assert.Equal(payload, (await store.ReadAsync(stepped, default))!.Payload.ToArray());
        var answer = (await store.ClaimAsync(completed, NewClaim(), default)).Existing!;
        Assert.Equal(payload, answer.Payload.ToArray());
        Assert.InRange(answer.RetentionRemaining, Hour - TimeSpan.FromMinutes(1), Hour);
        var alive = (await store.ReadAsync(running, default))!;
        Assert.True(alive.EffectsStarted);
        Assert.InRange(alive.LeaseRemaining, 3 * Hour - TimeSpan.FromMinutes(1), 3 * Hour + Tick);
        Assert.Null(await store.ReadAsync(released, default));
        await Assert.ThrowsAsync<RedisServerException>(() => ClaimAsync(store, released));
    }

    [Fact]
    public async Task An_answer_that_cannot_be_recorded_does_not_shorten_its_claim()
    {
        var port = FreePort.Next();
        using var process = await RedisServer.StartAsync(port);
        using var store = Create($"127.0.0.1:{port}");
        using var observer = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port}");
        var (key, brief, database) = (NewKey(), TimeSpan.FromSeconds(1), observer.GetDatabase());
        var claim = NewClaim() with { Retention = brief };
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        await database.ExecuteAsync("ACL", "SETUSER", "default", "-set"); // a write that is refused also after another
        await Assert.ThrowsAsync<RedisServerException>(async () => await store.CompleteAsync(key, claim.Owner, new byte[1], brief, default));
        var running = (await store.ReadAsync(key, default))!;
        Assert.Equal(IdempotencyRecordStatus.InProgress, running.Status);
        Assert.InRange(running.LeaseRemaining, Hour - TimeSpan.FromMinutes(1), Hour + Tick);
        await database.ExecuteAsync("ACL", "SETUSER", "default", "+set");
        Assert.True(await store.CompleteAsync(key, claim.Owner, new byte[1], brief, default));
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

    internal static RedisKey NameOf(RedisIdempotencyStore store, StoreKey key) => $"{store.KeyPrefix}{key}";

    internal static Task UntilItWorksAsync(RedisIdempotencyStore store) => UntilAsync(async () =>
    {
        try
        {
            await ClaimAsync(store, NewKey());
            return true;
        }
        catch (Exception)
        {
            return false;
        }
    });

    internal static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!await isSo())
        {
            await tick.WaitForNextTickAsync(deadline.Token);
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
