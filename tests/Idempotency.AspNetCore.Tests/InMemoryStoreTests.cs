using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The conformance tests for the in-memory store, and its own.</summary>
public sealed class InMemoryStoreConformanceTests : ListingConformanceTests, IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly InMemoryIdempotencyStore _store;

    public InMemoryStoreConformanceTests() => _store = new InMemoryIdempotencyStore(Options.Create(new InMemoryIdempotencyStoreOptions()), _time);

    protected override IIdempotencyStore Store => _store;

    protected override Task PassAsync(TimeSpan time)
    {
        _time.Advance(time);
        return Task.CompletedTask;
    }

    public void Dispose() => _store.Dispose();
}

/// <summary>What is the in-memory store's own: its bounds, and that it forgets in time.</summary>
public sealed class InMemoryStoreTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private static (InMemoryIdempotencyStore Store, FakeTimeProvider Time) Create(Action<InMemoryIdempotencyStoreOptions>? configure = null)
    {
        var time = new FakeTimeProvider();
        var options = new InMemoryIdempotencyStoreOptions();
        configure?.Invoke(options);
        return (new InMemoryIdempotencyStore(Options.Create(options), time), time);
    }

    private static StoreKey Key(int number) => new(Sha256Hash.Of(BitConverter.GetBytes(number)));

    private static async Task<Guid> ClaimAsync(InMemoryIdempotencyStore store, StoreKey key, TimeSpan? retention = null)
    {
        var owner = Guid.NewGuid();
        Assert.True((await store.ClaimAsync(key, new IdempotencyClaim { Owner = owner, Fingerprint = new Fingerprint(key.Hash), Attempt = 1, Lease = Minute, Retention = retention ?? Minute }, default)).IsAcquired);
        return owner;
    }

    private static async Task CompleteAsync(InMemoryIdempotencyStore store, StoreKey key, TimeSpan retention, int size = 10) =>
        Assert.True(await store.CompleteAsync(key, await ClaimAsync(store, key), new byte[size], retention, default));

    [Fact]
    public async Task A_million_records_are_kept_found_and_removed_when_they_expire()
    {
        var (store, time) = Create();
        using var _ = store;
        const int Million = 1_000_000;
        for (var i = 0; i < Million; i++)
        {
            await CompleteAsync(store, Key(i), TimeSpan.FromMinutes(10 + (i % 10)));
        }

        Assert.Equal(Million, store.Count);
        for (var i = 0; i < Million; i += 997)
        {
            Assert.NotNull(await store.ReadAsync(Key(i), default));
        }

        time.Advance(TimeSpan.FromMinutes(15));
        Assert.InRange(store.Count, 400_000, 500_000);
        Assert.NotNull(await store.ReadAsync(Key(8), default));
        time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(0, store.Count);
    }

    [Fact]
    public void No_response_is_so_large_that_it_is_compressed()
    {
        var (store, _) = Create();
        using (store)
        {
            Assert.True(store.CompressionThreshold > RecordBytes.LongestContent);
        }
    }

    [Fact]
    public async Task Nothing_is_left_of_claims_that_were_released()
    {
        var (store, time) = Create();
        using var _ = store;
        for (var i = 0; i < 10_000; i++)
        {
            Assert.True(await store.ReleaseAsync(Key(i), await ClaimAsync(store, Key(i), TimeSpan.FromDays(1)), default));
        }

        Assert.Equal(0, store.Count);
        time.Advance(TimeSpan.FromDays(2));
        Assert.Equal(0, store.Count);
    }

    [Fact]
    public void The_agenda_holds_no_more_than_there_is()
    {
        var meetings = new Meetings();
        var agenda = new ExpiryQueue(meetings);
        for (var i = 0; i < 100; i++)
        {
            meetings.ItemOf(i + 1).GoneAt = i * TimeSpan.TicksPerDay;
            agenda.Schedule(i + 1);
        }

        for (var i = 0; i < 200_000; i++)
        {
            meetings.ItemOf(101).GoneAt = (i + 1) * TimeSpan.TicksPerSecond;
            agenda.Schedule(101);
            agenda.Cancel(101);
        }

        Assert.InRange(agenda.Chains, 100, 300);
        for (var i = 0; i < 100; i++)
        {
            var now = (i * TimeSpan.TicksPerDay) + TimeSpan.TicksPerSecond;
            Assert.Equal(i + 1, agenda.NextDue(now, exact: false));
            agenda.Cancel(i + 1);
            Assert.Equal(0, agenda.NextDue(now, exact: true));
        }
    }

    private sealed class Meetings : ExpiryQueue.IItems
    {
        private readonly ExpiryQueue.Item[] _items = new ExpiryQueue.Item[102];

        public ref ExpiryQueue.Item ItemOf(int number) => ref _items[number];
    }

    [Fact]
    public async Task A_payload_is_what_was_written_whatever_comes_and_goes_beside_it()
    {
        var (store, time) = Create();
        using var _ = store;
        var random = new Random(1);
        var kept = new Dictionary<int, (byte[] Written, TimeSpan GoneAt)>();
        var given = new List<(byte[] Written, ReadOnlyMemory<byte> Read)>();
        var now = TimeSpan.Zero;
        for (var i = 0; i < 20_000; i++)
        {
            var payload = new byte[random.Next(4) switch { 0 => 0, 1 => random.Next(100), 2 => random.Next(2000), _ => random.Next(20) == 0 ? random.Next(100_000) : 200 }];
            random.NextBytes(payload);
            var retention = TimeSpan.FromSeconds(random.Next(3) switch { 0 => 3, 1 => 60, _ => 1 + random.Next(100_000) });
            var written = (byte[])payload.Clone();
            var owner = await ClaimAsync(store, Key(i), TimeSpan.FromDays(1));
            Assert.True(await store.CompleteAsync(Key(i), owner, written, retention, default));
            kept.Add(i, (payload, now + retention));
            if (i % 5 == 0)
            {
                var deleted = random.Next(i + 1);
                Assert.Equal(kept.Remove(deleted, out var was) && was.GoneAt > now, await store.DeleteAsync(Key(deleted), default));
            }

            if (i % 7 == 0)
            {
                var asked = random.Next(i + 1);
                var record = await store.ReadAsync(Key(asked), default);
                Assert.Equal(kept.TryGetValue(asked, out var expected) && expected.GoneAt > now, record is not null);
                if (record is not null)
                {
                    Assert.Equal(expected.Written, record.Payload.ToArray());
                    given.Add((expected.Written, record.Payload));
                }
            }

            if (i % 50 == 0)
            {
                time.Advance(TimeSpan.FromSeconds(1));
                now += TimeSpan.FromSeconds(1);
            }
        }

        Assert.All(given, static each => Assert.Equal(each.Written, each.Read.ToArray()));
        time.Advance(TimeSpan.FromDays(2));
        Assert.Equal((0, 0), (store.Count, store.Bytes));
    }

    [Fact]
    public async Task Abandoned_claims_are_removed_after_lease_and_retention()
    {
        var (store, time) = Create();
        using var _ = store;
        await ClaimAsync(store, Key(1));
        time.Advance(1.5 * Minute);
        Assert.Equal(1, store.Count);
        time.Advance(2 * Minute);
        Assert.Equal(0, store.Count);
    }

    [Theory]
    [InlineData(100, long.MaxValue, 10)]
    [InlineData(int.MaxValue, 100 * 1350, 1000)]
    public async Task When_it_is_full_it_refuses_and_evicts_nothing(int maxRecords, long maxBytes, int size)
    {
        var (store, time) = Create(options => (options.MaxRecords, options.MaxBytes) = (maxRecords, maxBytes));
        using var _ = store;
        for (var i = 0; i < 100; i++)
        {
            await CompleteAsync(store, Key(i), 10 * Minute, size);
        }

        for (var i = 100; i < 200; i++)
        {
            var failure = await Assert.ThrowsAsync<IdempotencyStoreFullException>(() => ClaimAsync(store, Key(i)));
            Assert.Contains("AddInMemoryStore", failure.Message, StringComparison.Ordinal);
        }

        for (var i = 0; i < 100; i++)
        {
            Assert.NotNull(await store.ReadAsync(Key(i), default));
        }

        await store.DeleteAsync(Key(0), default);
        await ClaimAsync(store, Key(100));
        time.Advance(10 * Minute);
        for (var i = 200; i < 250; i++)
        {
            await ClaimAsync(store, Key(i));
        }
    }

    [Fact]
    public async Task An_answer_that_is_under_way_when_it_fills_up_is_kept()
    {
        var (store, _) = Create(options => options.MaxBytes = 1000);
        using var __ = store;
        var owner = await ClaimAsync(store, Key(1));
        Assert.True(await store.CompleteAsync(Key(1), owner, new byte[5000], Minute, default));
        Assert.Equal(5000, (await store.ReadAsync(Key(1), default))!.Payload.Length);
        await Assert.ThrowsAsync<IdempotencyStoreFullException>(() => ClaimAsync(store, Key(2)));
    }

    [Fact]
    public async Task Many_threads_at_once_leave_its_counts_right()
    {
        var (store, time) = Create(options => options.MaxRecords = 5000);
        using var _ = store;
        await Parallel.ForAsync(0, 20_000, async (i, _) =>
        {
            var key = Key(i % 6000);
            try
            {
                var owner = Guid.NewGuid();
                var result = await store.ClaimAsync(key, new IdempotencyClaim { Owner = owner, Fingerprint = new Fingerprint(key.Hash), Attempt = 1, Lease = Minute, Retention = Minute }, default);
                if (result.IsAcquired)
                {
                    Assert.True(i % 3 == 0 ? await store.ReleaseAsync(key, owner, default) : await store.CompleteAsync(key, owner, new byte[i % 50], Minute, default));
                }
            }
            catch (IdempotencyStoreFullException)
            {
            }
        });
        Assert.InRange(store.Count, 1, 5000);
        time.Advance(5 * Minute);
        Assert.Equal(0, store.Count);
        for (var i = 0; i < 5000; i++)
        {
            await ClaimAsync(store, Key(i));
        }
    }
}
