using System.Net;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.DynamoDB.Tests;

/// <summary>The conformance tests for the DynamoDB store, against AWS's own DynamoDB Local.</summary>
public class DynamoDBConformanceTests(DynamoDBServer server) : ListingConformanceTests, IAsyncLifetime
{
    private readonly AmazonDynamoDBClient _client = server.CreateClient();
    private DynamoDBIdempotencyStore? _store;

    protected override IIdempotencyStore Store => _store!;

    protected virtual string? SortKey => null;

    // The server has its own clock: time must really pass.
    protected override Task PassAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System);

    public ValueTask InitializeAsync()
    {
        _store = DynamoDBStoreTests.Create(_client, options =>
        {
            options.TableName = SortKey is null ? "conformance" : "conformance-sorted";
            options.SortKeyAttribute = SortKey;
            options.ClockSkewTolerance = TimeSpan.FromMilliseconds(50);
        });
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _store?.Dispose();
        _client.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}

/// <summary>The same with a table that has a sort key.</summary>
public sealed class DynamoDBSortKeyConformanceTests(DynamoDBServer server) : DynamoDBConformanceTests(server)
{
    protected override string? SortKey => "record";
}

/// <summary>What is DynamoDB's own: tables, foreign items, lost replies, round trips, the size of an item.</summary>
public sealed class DynamoDBStoreTests(DynamoDBServer server)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    internal static DynamoDBIdempotencyStore Create(IAmazonDynamoDB client, Action<DynamoDBIdempotencyStoreOptions>? configure = null, TimeProvider? time = null)
    {
        var options = new DynamoDBIdempotencyStoreOptions { TableName = "records", CreateTableIfMissing = true };
        configure?.Invoke(options);
        var services = new ServiceCollection().AddSingleton(client).BuildServiceProvider();
        return new DynamoDBIdempotencyStore(Options.Create(options), services, time ?? TimeProvider.System);
    }

    private static StoreKey NewKey() => new(Sha256Hash.Of(Guid.NewGuid().ToByteArray()));

    private static IdempotencyClaim NewClaim(TimeSpan? lease = null) => new() { Owner = Guid.NewGuid(), Fingerprint = new Fingerprint(Sha256Hash.Of("the request"u8)), Attempt = 1, Lease = lease ?? Hour, Retention = Hour };

    private static IdempotencyClaim TakingOver(Guid superseded) => NewClaim() with { Attempt = 2, Supersedes = superseded };

    private static IdempotencySteps Steps(int version, params byte[] data) => new() { Version = version, Data = data, EffectsStarted = false };

    private static async Task<Guid> ClaimAsync(DynamoDBIdempotencyStore store, StoreKey key)
    {
        var claim = NewClaim();
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        return claim.Owner;
    }

    [Fact]
    public async Task Every_operation_is_one_call()
    {
        var calls = new List<string>();
        using var client = server.CreateClient(handler: () => new Spy(calls));
        using var store = Create(client);
        var key = NewKey();
        await store.ReadAsync(key, default); // the table is there now
        calls.Clear();

        var owner = await ClaimAsync(store, key);
        await store.ClaimAsync(key, NewClaim(), default);
        await store.RenewAsync(key, owner, Hour, Hour, default);
        await store.CompleteAsync(key, owner, new byte[10], Hour, default);
        await store.ClaimAsync(key, NewClaim(), default);
        await store.ReadAsync(key, default);
        await store.ReleaseAsync(key, owner, default);
        await store.DeleteAsync(key, default);
        Assert.Equal(["PutItem", "PutItem", "UpdateItem", "UpdateItem", "PutItem", "GetItem", "DeleteItem", "DeleteItem"], calls);
    }

    [Fact]
    public async Task A_step_is_one_call_and_so_is_a_takeover_with_its_steps()
    {
        var calls = new List<string>();
        using var client = server.CreateClient(handler: () => new Spy(calls));
        using var store = Create(client, options => options.ClockSkewTolerance = TimeSpan.Zero);
        var key = NewKey();
        await store.ReadAsync(key, default);
        var owner = await ClaimAsync(store, key);
        calls.Clear();

        Assert.True(await store.SaveStepsAsync(key, owner, Steps(1, 1), Hour, Hour, default));
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(2, 1, 2), TimeSpan.Zero, Hour, default));
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(1, 1), Hour, Hour, default)); // comes late
        Assert.False(await store.SaveStepsAsync(key, Guid.NewGuid(), Steps(3, 3), Hour, Hour, default));
        var next = TakingOver(owner);
        Assert.Equal([1, 2], (await store.ClaimAsync(key, next, default)).Steps.ToArray());
        Assert.False((await store.ClaimAsync(key, TakingOver(owner), default)).IsAcquired);
        Assert.Equal(Enumerable.Repeat("UpdateItem", 6), calls);
        calls.Clear();
        Assert.False(await store.ReleaseAsync(key, owner, default));
        Assert.Equal(["DeleteItem"], calls);
        calls.Clear();
        Assert.True(await store.ReleaseAsync(key, next.Owner, default));
        Assert.Equal(["DeleteItem", "UpdateItem"], calls);
    }

    [Fact]
    public async Task A_released_claim_with_steps_is_free_at_once_for_a_server_whose_clock_is_behind()
    {
        using var client = server.CreateClient();
        var behind = new SteppedTime();
        behind.Step(TimeSpan.FromSeconds(-1));
        using var store = Create(client, options => options.TableName = "released");
        using var other = Create(client, options => options.TableName = "released", behind);
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(1, 5), Hour, Hour, default));
        Assert.True(await store.ReleaseAsync(key, owner, default));
        Assert.True((await other.ReadAsync(key, default))!.IsAbandoned);
        await foreach (var listed in store.ListAbandonedAsync(default))
        {
            Assert.InRange(listed.SinceLeaseEnd, TimeSpan.Zero, TimeSpan.FromMinutes(5)); // not since 1970
        }

        Assert.Equal([5], (await other.ClaimAsync(key, TakingOver(Guid.Empty), default)).Steps.ToArray());
    }

    [Theory]
    [InlineData(3)] // the SDK tries again, and finds its own item in the way
    [InlineData(0)] // the SDK gives up, and the store looks
    public async Task A_takeover_whose_reply_is_lost_still_has_the_steps(int retries)
    {
        var spy = new Spy([]);
        using var client = server.CreateClient(handler: () => spy, retries: retries);
        using var store = Create(client, options => options.ClockSkewTolerance = TimeSpan.Zero);
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(1, 5, 6), TimeSpan.Zero, Hour, default));
        spy.LoseReplies = 1;
        var next = TakingOver(owner);
        var taken = await store.ClaimAsync(key, next, default);
        Assert.True(taken.IsAcquired);
        Assert.Equal([5, 6], taken.Steps.ToArray());
        Assert.Equal(0, spy.LoseReplies);
        Assert.True(await store.CompleteAsync(key, next.Owner, new byte[] { 1 }, Hour, default));
    }

    [Fact]
    public async Task Steps_whose_reply_is_lost_are_saved_once_and_the_claim_is_still_the_owners()
    {
        var spy = new Spy([]);
        using var client = server.CreateClient(handler: () => spy, retries: 3);
        using var store = Create(client);
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        spy.LoseReplies = 1;
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(1, 5), Hour, Hour, default));
        Assert.Equal(0, spy.LoseReplies);
        Assert.Equal([5], (await store.ReadAsync(key, default))!.Payload.ToArray());
    }

    [Fact]
    public async Task The_table_it_makes_has_time_to_live_and_several_servers_may_make_it_at_once()
    {
        using var client = server.CreateClient();
        var name = $"made-{Guid.NewGuid():N}";
        var stores = Enumerable.Range(0, 4).Select(_ => Create(client, options => options.TableName = name)).ToList();
        await Task.WhenAll(stores.Select(store => ClaimAsync(store, NewKey())));
        var timeToLive = await client.DescribeTimeToLiveAsync(new DescribeTimeToLiveRequest { TableName = name });
        Assert.Equal("expiration", timeToLive.TimeToLiveDescription.AttributeName);
        Assert.Contains(timeToLive.TimeToLiveDescription.TimeToLiveStatus, new[] { TimeToLiveStatus.ENABLED, TimeToLiveStatus.ENABLING });
        stores.ForEach(store => store.Dispose());
    }

    [Fact]
    public async Task Without_leave_to_make_the_table_a_missing_one_is_an_error()
    {
        using var client = server.CreateClient();
        using var store = Create(client, options => (options.TableName, options.CreateTableIfMissing) = ("not-there", false));
        await Assert.ThrowsAsync<ResourceNotFoundException>(() => ClaimAsync(store, NewKey()));
    }

    [Fact]
    public async Task Attributes_have_the_names_that_are_asked_for()
    {
        using var client = server.CreateClient();
        using var store = Create(client, options =>
        {
            options.TableName = "renamed";
            options.KeyAttribute = "k";
            options.StatusAttribute = "name"; // a reserved word
            options.OwnerAttribute = "o";
            options.AttemptAttribute = "a";
            options.DataAttribute = "d";
            options.ValidationAttribute = "v";
            options.ExpiryAttribute = "ttl";
            options.ExactExpiryAttribute = "ttl-ms";
            options.InProgressExpiryAttribute = "lease until";
            options.EffectsStartedAttribute = "mark";
            options.StepsVersionAttribute = "size"; // a reserved word
        });
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        Assert.True(await store.RenewAsync(key, owner, Hour, Hour, default));
        var running = await ItemAsync(client, "renamed", "k", key);
        Assert.Equal(["a", "k", "lease until", "name", "o", "ttl", "ttl-ms", "v"], running.Keys.Order(StringComparer.Ordinal));
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(7, 1, 2) with { EffectsStarted = true }, Hour, Hour, default));
        var stepped = await ItemAsync(client, "renamed", "k", key);
        Assert.Equal(["a", "d", "k", "lease until", "mark", "name", "o", "size", "ttl", "ttl-ms", "v"], stepped.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("7", stepped["size"].N);
        Assert.Equal([1, 2], stepped["d"].B.ToArray());
        Assert.True(await store.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        var completed = await ItemAsync(client, "renamed", "k", key);
        Assert.Equal(["a", "d", "k", "name", "o", "ttl", "ttl-ms", "v"], completed.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("COMPLETED", completed["name"].S);
        var expiry = DateTimeOffset.FromUnixTimeSeconds(long.Parse(completed["ttl"].N, System.Globalization.CultureInfo.InvariantCulture));
        Assert.InRange(expiry - DateTimeOffset.UtcNow, Hour - TimeSpan.FromMinutes(1), Hour + TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task Items_of_another_library_are_unreadable_while_they_last_and_free_when_they_are_over()
    {
        using var client = server.CreateClient();
        using var store = Create(client);
        await store.ReadAsync(NewKey(), default);
        var now = DateTimeOffset.UtcNow;
        foreach (var (status, expiry, lease, isFree) in new (string, TimeSpan, TimeSpan?, bool)[]
        {
            ("COMPLETED", Hour, null, false),
            ("COMPLETED", -Hour, null, true),
            ("INPROGRESS", Hour, Hour, false),
            ("INPROGRESS", Hour, -Hour, false),
            ("INPROGRESS", -Hour, null, true),
            ("INPROGRESS", -Hour, -Hour, true),
            ("INPROGRESS", -Hour, Hour, false), // retention never takes a live claim
            ("PAUSED", Hour, null, false),
        })
        {
            var key = NewKey();
            var item = new Dictionary<string, AttributeValue> { ["id"] = new(key.ToString()), ["status"] = new(status), ["expiration"] = new() { N = $"{(now + expiry).ToUnixTimeSeconds()}" }, ["data"] = new("{}") };
            if (lease is { } span)
            {
                item["in_progress_expiration"] = new() { N = $"{(now + span).ToUnixTimeMilliseconds()}" };
            }

            await client.PutItemAsync("records", item);
            if (isFree)
            {
                Assert.Null(await store.ReadAsync(key, default));
                await ClaimAsync(store, key);
            }
            else
            {
                await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(() => ClaimAsync(store, key));
                await Assert.ThrowsAsync<IdempotencyRecordUnreadableException>(async () => await store.ReadAsync(key, default));
                Assert.False(await store.ReleaseAsync(key, Guid.NewGuid(), default));
            }
        }
    }

    [Theory]
    [InlineData(3)] // the SDK tries again, and finds its own item in the way
    [InlineData(0)] // the SDK gives up, and the store looks
    public async Task A_claim_whose_reply_is_lost_is_known_by_its_owner(int retries)
    {
        var spy = new Spy([]) { LoseReplies = 1 };
        using var client = server.CreateClient(handler: () => spy, retries: retries);
        using (var setUp = Create(client))
        {
            spy.LoseReplies = 0;
            await setUp.ReadAsync(NewKey(), default);
        }

        using var store = Create(client, options => options.CreateTableIfMissing = false);
        spy.LoseReplies = 1;
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        Assert.Equal(owner, (await store.ReadAsync(key, default))!.Owner);
        Assert.True(await store.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
    }

    [Fact]
    public async Task A_record_that_expires_while_the_claim_is_under_way_is_still_told()
    {
        var time = new SteppedTime();
        var spy = new Spy([]);
        using var client = server.CreateClient(handler: () => spy);
        using var store = Create(client, time: time);
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        Assert.True(await store.CompleteAsync(key, owner, new byte[] { 1 }, Hour, default));
        spy.BeforeReply = () => time.Step(2 * Hour);
        var held = await store.ClaimAsync(key, NewClaim(), default);
        Assert.False(held.IsAcquired);
        Assert.Equal(owner, held.Existing!.Owner);
        spy.BeforeReply = null;
        await ClaimAsync(store, key);
    }

    [Fact]
    public async Task A_server_that_is_away_is_an_exception()
    {
        using var client = server.CreateClient($"http://127.0.0.1:{FreePort.Next()}", retries: 0);
        using var store = Create(client, options => options.CreateTableIfMissing = false);
        await Assert.ThrowsAnyAsync<Exception>(() => ClaimAsync(store, NewKey()));
    }

    [Fact]
    public async Task Throttling_is_tried_again_and_then_an_exception()
    {
        var calls = new List<string>();
        var spy = new Spy(calls);
        using var client = server.CreateClient(handler: () => spy, retries: 2);
        using var store = Create(client);
        await store.ReadAsync(NewKey(), default);
        calls.Clear();
        spy.Throttle = 2;
        await ClaimAsync(store, NewKey());
        Assert.Equal(3, calls.Count);
        spy.Throttle = int.MaxValue;
        await Assert.ThrowsAnyAsync<AmazonServiceException>(() => ClaimAsync(store, NewKey()));
    }

    [Fact]
    public async Task The_largest_payload_fits_into_an_item_and_so_do_the_largest_steps()
    {
        using var client = server.CreateClient();
        using var store = Create(client);
        var key = NewKey();
        var owner = await ClaimAsync(store, key);
        Assert.True(await store.SaveStepsAsync(key, owner, Steps(int.MaxValue, new byte[((IIdempotencyStore)store).MaxPayloadSize]) with { EffectsStarted = true }, Hour, Hour, default));
        Assert.True(await store.CompleteAsync(key, owner, new byte[((IIdempotencyStore)store).MaxPayloadSize], Hour, default));
        Assert.Equal(((IIdempotencyStore)store).MaxPayloadSize, (await store.ReadAsync(key, default))!.Payload.Length);
        var other = NewKey();
        await Assert.ThrowsAnyAsync<AmazonDynamoDBException>(async () => await store.CompleteAsync(other, await ClaimAsync(store, other), new byte[400 * 1024], Hour, default));
    }

    [Theory]
    [InlineData("TableName", "", "id", null)]
    [InlineData("TableName", "a b c", "id", null)]
    [InlineData("attribute names", "records", "", null)]
    [InlineData("attribute names", "records", "status", null)]
    [InlineData("ServiceUrl", "records", "id", "localhost")]
    public void Options_that_make_no_sense_are_refused(string named, string table, string key, string? url)
    {
        var services = new ServiceCollection();
        services.AddIdempotency().AddDynamoDBStore(options => (options.TableName, options.KeyAttribute, options.ServiceUrl) = (table, key, url));
        var failure = Assert.Throws<OptionsValidationException>(() => services.BuildServiceProvider().GetRequiredService<IOptions<DynamoDBIdempotencyStoreOptions>>().Value);
        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
    }

    private static async Task<Dictionary<string, AttributeValue>> ItemAsync(AmazonDynamoDBClient client, string table, string attribute, StoreKey key) =>
        (await client.GetItemAsync(table, new Dictionary<string, AttributeValue> { [attribute] = new(key.ToString()) })).Item;

    /// <summary>Now, and what it is stepped by.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        private TimeSpan _ahead;

        public void Step(TimeSpan span) => _ahead += span;

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + _ahead;
    }

    /// <summary>Sees what the client sends, and loses replies or throttles.</summary>
    private sealed class Spy(List<string> calls) : DelegatingHandler(new SocketsHttpHandler())
    {
        public int LoseReplies { get; set; }

        public int Throttle { get; set; }

        public Action? BeforeReply { get; set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            calls.Add(request.Headers.GetValues("X-Amz-Target").Single().Split('.')[1]);
            if (Throttle > 0)
            {
                Throttle--;
                return new HttpResponseMessage(HttpStatusCode.BadRequest)
                {
                    Content = new StringContent("""{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}"""),
                    RequestMessage = request,
                };
            }

            var response = await base.SendAsync(request, cancellationToken);
            BeforeReply?.Invoke();
            if (LoseReplies > 0)
            {
                LoseReplies--;
                response.Dispose();
                throw new HttpRequestException("connection lost", new IOException());
            }

            return response;
        }
    }
}
