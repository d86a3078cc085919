using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The local cache: what it saves, and its bounds.</summary>
public sealed class LocalCacheTests
{
    private static readonly DateTimeOffset Start = new FakeTimeProvider().GetUtcNow();

    private static StoreKey Key(int number) => new(Sha256Hash.Of(BitConverter.GetBytes(number)));

    private static (CompletedRecords Cache, FakeTimeProvider Time) Create(int entries = 3, long bytes = 1_000_000)
    {
        var time = new FakeTimeProvider();
        var services = new ServiceCollection().AddSingleton<TimeProvider>(time);
        services.AddIdempotency(options =>
        {
            options.LocalCacheMaxEntries = entries;
            options.LocalCacheMaxBytes = bytes;
        });
        return (services.BuildServiceProvider().GetRequiredService<CompletedRecords>(), time);
    }

    private static void Set(CompletedRecords cache, int number, int size = 10, TimeSpan? retention = null) =>
        cache.Set(Key(number), new CompletedRecord(default, new byte[size], (Start + (retention ?? TimeSpan.FromHours(1))).UtcTicks));

    [Fact]
    public async Task First_execution_asks_the_store_twice_a_cold_replay_once_a_warm_one_never()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency());
        using var first = await api.SendAsync();
        Assert.Equal((1, 1, 2), (api.Store.Calls("claim"), api.Store.Calls("complete"), api.Store.AllCalls));
        for (var i = 0; i < 3; i++)
        {
            using var warm = await api.SendAsync();
            Assert.True(warm.IsReplay());
        }

        Assert.Equal(2, api.Store.AllCalls);

        // As another server would find it.
        api.CompletedRecords.Set(api.Store.LastKey, new CompletedRecord(default, default, 0));
        using var cold = await api.SendAsync();
        Assert.True(cold.IsReplay());
        Assert.Equal(3, api.Store.AllCalls);
        using var warmAgain = await api.SendAsync();
        Assert.True(warmAgain.IsReplay());
        Assert.Equal(3, api.Store.AllCalls);
    }

    [Theory]
    [InlineData(60_000)]
    [InlineData(70_000)]
    public async Task A_warm_replay_of_a_large_body_is_for_the_same_request_only_and_keeps_at_most_64_KiB_of_it(int size)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency());
        string Body(char last, string space = "") => $$"""{"text":{{space}}"{{new string('a', size)}}{{last}}"}""";
        using var first = await api.SendAsync(json: Body('b'));
        var before = api.CompletedRecords.Bytes;
        for (var i = 0; i < 2; i++)
        {
            using var same = await api.SendAsync(json: Body('b'));
            Assert.True(same.IsReplay());
            using var reformatted = await api.SendAsync(json: Body('b', " "));
            Assert.True(reformatted.IsReplay());
            using var other = await api.SendAsync(json: Body('c'));
            Assert.Equal(422, (int)other.StatusCode);
        }

        Assert.Equal(size <= 64 * 1024, api.CompletedRecords.Bytes - before > size);
        Assert.Equal(2, api.Store.AllCalls);
    }

    [Fact]
    public async Task Nothing_is_kept_here_for_longer_than_in_the_store()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { Retention = TimeSpan.FromMinutes(1) }));
        api.Store.After = operation =>
        {
            if (operation is "complete" or "claim")
            {
                api.Time.Advance(TimeSpan.FromSeconds(5)); // the reply takes its time
            }
        };
        using var first = await api.SendAsync();
        api.Store.After = null;
        api.Time.Advance(TimeSpan.FromSeconds(56));
        Assert.Null(await api.Store.Inner.ReadAsync(api.Store.LastKey, default));
        using var again = await api.SendAsync();
        Assert.False(again.IsReplay());
    }

    [Fact]
    public async Task A_response_whose_recording_is_confirmed_late_is_kept_from_its_completion()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(new IdempotencyPolicy { Retention = TimeSpan.FromMinutes(1) }));
        api.Store.After = operation =>
        {
            if (operation == "complete")
            {
                api.Store.After = null;
                api.Time.Advance(TimeSpan.FromSeconds(30));
                throw new IOException("the reply is lost, and that shows late");
            }
        };
        using var first = await api.SendAsync();
        using var warm = await api.SendAsync();
        Assert.True(warm.IsReplay());
        api.Time.Advance(TimeSpan.FromSeconds(31));
        Assert.Null(await api.Store.Inner.ReadAsync(api.Store.LastKey, default));
        using var again = await api.SendAsync();
        Assert.False(again.IsReplay());
    }

    [Fact]
    public async Task Switched_off_every_replay_asks_the_store()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(), options => options.LocalCacheMaxBytes = 0);
        for (var i = 0; i < 3; i++)
        {
            using var response = await api.SendAsync();
            Assert.Equal(i > 0, response.IsReplay());
        }

        Assert.Equal(4, api.Store.AllCalls);
    }

    [Fact]
    public void The_least_recently_used_goes_first()
    {
        var (cache, _) = Create(entries: 3);
        Set(cache, 1);
        Set(cache, 2);
        Set(cache, 3);
        Assert.True(cache.TryGet(Key(1), out var _));
        Set(cache, 4);
        Assert.False(cache.TryGet(Key(2), out var _));
        Assert.True(cache.TryGet(Key(1), out var _));
        Assert.True(cache.TryGet(Key(3), out var _));
        Assert.True(cache.TryGet(Key(4), out var _));
    }

    [Fact]
    public void It_is_bounded_by_bytes_and_what_alone_is_too_large_is_not_kept()
    {
        var (cache, _) = Create(entries: 1000, bytes: 10_000);
        for (var i = 0; i < 100; i++)
        {
            Set(cache, i, size: 700);
            Assert.InRange(cache.Bytes, 1, 10_000);
        }

        Assert.Equal(10, cache.Count);
        Set(cache, 1000, size: 20_000);
        Assert.Equal(10, cache.Count);
        Set(cache, 99, size: 5000);
        Assert.InRange(cache.Bytes, 5000, 10_000);
        Assert.True(cache.TryGet(Key(99), out var grown));
        Assert.Equal(5000, grown.Payload.Length);
    }

    [Fact]
    public void A_record_is_there_exactly_while_its_retention_lasts()
    {
        var (cache, time) = Create();
        Set(cache, 1, retention: TimeSpan.FromMinutes(1));
        time.Advance(TimeSpan.FromMinutes(1) - TimeSpan.FromTicks(1));
        Assert.True(cache.TryGet(Key(1), out var _));
        time.Advance(TimeSpan.FromTicks(1));
        Assert.False(cache.TryGet(Key(1), out var _));
        Assert.Equal((0, 0), (cache.Count, cache.Bytes));
    }

    [Fact]
    public void Its_counts_stay_right_whatever_many_threads_do()
    {
        var (cache, _) = Create(entries: 100, bytes: 100_000);
        Parallel.For(0, 50_000, i =>
        {
            Set(cache, i % 300, size: i % 1000);
            cache.TryGet(Key(i % 77), out var _);
        });
        Assert.InRange(cache.Count, 1, 100);
        Assert.InRange(cache.Bytes, 1, 100_000);
        for (var i = 0; i < 300; i++)
        {
            cache.Set(Key(i), new CompletedRecord(default, default, 0));
        }

        Assert.Equal((0, 0), (cache.Count, cache.Bytes));
    }

    [Fact]
    public async Task What_a_replay_needs_beside_the_record_is_counted_too()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => new { text = new string('x', 10_000) }).WithIdempotency());
        using var first = await api.SendAsync();
        var before = api.CompletedRecords.Bytes;
        using var replay = await api.SendAsync();
        Assert.InRange(api.CompletedRecords.Bytes, before + 10_000, before + 25_000);
        var after = api.CompletedRecords.Bytes;
        using var replayAgain = await api.SendAsync();
        Assert.Equal(after, api.CompletedRecords.Bytes);
    }

    [Fact]
    public async Task A_late_attempt_that_changed_its_request_does_not_open_the_answer_to_another()
    {
        var gate = new Gate();
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            if (++runs == 1)
            {
                context.Request.QueryString = new QueryString("?amount=999");
                await gate.PassAsync();
            }

            return "paid";
        }).WithIdempotency());
        api.Store.Before = operation => operation == "renew" ? throw new IOException("away") : Task.CompletedTask;
        var late = api.SendAsync("/?amount=5");
        await gate.ArrivedAsync();
        api.Time.Advance(new IdempotencyPolicy().ClaimDuration + TimeSpan.FromSeconds(1));
        using var successor = await api.SendAsync("/?amount=5");
        gate.Open();
        using var superseded = await late;
        Assert.True(superseded.IsReplay());
        using var other = await api.SendAsync("/?amount=999");
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4100)]
    [InlineData(33_000)]
    public async Task A_request_of_unannounced_length_takes_no_more_than_is_counted(int size)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(), kestrel: true);
        for (var i = 0; i < 2; i++)
        {
            using var response = await api.SendAsync(json: null, with: request =>
            {
                request.Content = new ByteArrayContent(new byte[size]);
                request.Headers.TransferEncodingChunked = true;
            });
        }

        Assert.True(api.CompletedRecords.TryGet(api.Store.LastKey, out var record));
        var request = ((StoredResponse)record.Decoded!).Request!;
        Assert.InRange(request.MemoryTaken, size, request.Size);
    }
}
