using System.Runtime.CompilerServices;
using Microsoft.Extensions.Time.Testing;

namespace Idempotency.AspNetCore.DynamoDB.Tests;

/// <summary>The README's table of what requests cost, row by row: what it says is what DynamoDB is asked for, and charges.</summary>
public sealed class RequestCostTests(DynamoDBServer server) : IAsyncLifetime
{
    private static readonly TimeSpan Lease = new IdempotencyPolicy().ClaimDuration;

    // Each request, and the units that no design with the same promises could spare. The README has the reasons.
    private static readonly (string Request, string Least, Func<RequestCostTests, Task<Cost>> Send)[] Requests =
    [
        ("first execution", "2 write", test => test.FirstAsync("/pay")),
        ("first execution, response of 10,000 bytes", "11 write", test => test.FirstAsync("/large")),
        ("replay from the local cache", "none", test => test.RetryAsync("/pay", test._server!)),
        ("replay from the store", "1 write", test => test.RetryAsync("/pay", test._other!)),
        ("replay from the store, response of 10,000 bytes", "3 read", test => test.RetryAsync("/large", test._other!)),
        ("same key, other request", "1 write", test => test.RetryAsync("/pay", test._other!, "/pay?other", expected: 422)),
        ("duplicate while the first runs", "1 write", test => test.DuplicateAsync()),
        ("renewal, each third of the lease", "1 write", test => test.RenewalAsync()),
        ("step of a handler", "1 write", test => test.WorkAsync("/step")),
        ("start of irreversible effects", "1 write", test => test.WorkAsync("/effects")),
        ("takeover of an abandoned claim", "2 write", test => test.TakeoverAsync()),
        ("response that is not recorded", "2 write", test => test.FirstAsync("/fails", expected: 500)),
        ("response that is not recorded, after a step", "3 write", test => test.FirstAsync("/step-fails", expected: 500)),
        ("health check", "1 read", test => test.CostAsync(test._server!.CheckHealthAsync)),
    ];

    private readonly CapacityMeter _meter = new();
    private readonly string _key = Guid.NewGuid().ToString();
    private CostedServer? _server;
    private CostedServer? _other; // without a local cache

    public static TheoryData<string> Rows() => [.. Requests.Select(request => request.Request)];

    public async ValueTask InitializeAsync()
    {
        _server = await CostedServer.StartAsync(server.CreateClient(handler: () => _meter), hasLocalCache: true);
        _other = await CostedServer.StartAsync(server.CreateClient(handler: () => _meter), hasLocalCache: false);
    }

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        await _other!.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_request_costs_what_the_table_says(string request)
    {
        var (_, least, send) = Requests.Single(row => row.Request == request);
        Assert.Equal(
            Assert.Single(ReadmeRows(), line => line.StartsWith($"| {request} |", StringComparison.Ordinal)),
            $"| {request} | {await send(this)} | {least} |");
    }

    [Fact]
    public void The_table_has_no_other_row() => Assert.Equal(Requests.Length, ReadmeRows().Count());

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_record_costs_one_unit_up_to_the_size_that_the_README_says(bool hasShortNames)
    {
        using var client = server.CreateClient(handler: () => _meter);
        using var store = DynamoDBStoreTests.Create(client, Configure, new FakeTimeProvider(CostedServer.Start));
        var sizes = string.Join(" | ", await LargestAsync(store, 1), await LargestAsync(store, 2));
        Assert.Single(ReadmeLines(), $"| {(hasShortNames ? "one letter each" : "the default")} | {sizes} |");

        void Configure(DynamoDBIdempotencyStoreOptions options)
        {
            options.TableName = hasShortNames ? "short-names" : "long-names";
            if (hasShortNames)
            {
                // As the README has them.
                options.KeyAttribute = "k";
                options.StatusAttribute = "s";
                options.OwnerAttribute = "o";
                options.AttemptAttribute = "a";
                options.ValidationAttribute = "v";
                options.DataAttribute = "d";
                options.ExpiryAttribute = "e";
                options.ExactExpiryAttribute = "x";
            }
        }
    }

    /// <summary>The largest payload whose completion costs so many units.</summary>
    private async Task<int> LargestAsync(DynamoDBIdempotencyStore store, int units)
    {
        var (fits, tooLarge) = (0, 4096);
        while (tooLarge - fits > 1)
        {
            var size = (fits + tooLarge) / 2;
            var key = new StoreKey(Sha256Hash.Of(Guid.NewGuid().ToByteArray()));
            var claim = new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = new Fingerprint(key.Hash), Attempt = 1, Lease = Lease, Retention = Lease };
            Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
            var cost = await CostAsync(async () => Assert.True(await store.CompleteAsync(key, claim.Owner, new byte[size], Lease, default)));
            (fits, tooLarge) = cost.WriteUnits <= units ? (size, tooLarge) : (fits, size);
        }

        return fits;
    }

    private Task<Cost> FirstAsync(string path, int expected = 200) => CostAsync(() => _server!.SendAsync(path, _key, expected));

    private async Task<Cost> RetryAsync(string path, CostedServer server, string? otherPath = null, int expected = 200)
    {
        await _server!.SendAsync(path, _key);
        return await CostAsync(() => server.SendAsync(otherPath ?? path, _key, expected));
    }

    private async Task<Cost> DuplicateAsync()
    {
        var first = await BegunAsync("/slow");
        var cost = await CostAsync(() => _other!.SendAsync("/slow", _key, expected: 409));
        await EndAsync(first);
        return cost;
    }

    private async Task<Cost> RenewalAsync()
    {
        var request = await BegunAsync("/slow");
        var cost = await CostAsync(async () =>
        {
            _server!.Time.Advance(Lease / 3);
            await Eventually.TrueAsync(() => _meter.Total.Calls.Count > 0, "the renewal");
        });
        await EndAsync(request);
        return cost;
    }

    /// <summary>Of what a handler does between its gates.</summary>
    private async Task<Cost> WorkAsync(string path)
    {
        var request = await BegunAsync(path);
        var cost = await CostAsync(async () =>
        {
            _server!.Before.Open();
            await _server.After.ArrivedAsync();
        });
        await EndAsync(request);
        return cost;
    }

    private async Task<Cost> TakeoverAsync()
    {
        // This server's clock stands still, so it never renews: to the other it has crashed.
        var crashed = await BegunAsync("/slow");
        _other!.Time.Advance(Lease + TimeSpan.FromMinutes(1));
        _other.Before.Open();
        _other.After.Open();
        var cost = await CostAsync(() => _other.SendAsync("/slow", _key));
        await EndAsync(crashed);
        return cost;
    }

    private async Task<Task> BegunAsync(string path)
    {
        var request = _server!.SendAsync(path, _key);
        await _server.Before.ArrivedAsync();
        return request;
    }

    private async Task EndAsync(Task request)
    {
        _server!.Before.Open();
        _server.After.Open();
        await request;
    }

    private async Task<Cost> CostAsync(Func<Task> run)
    {
        _meter.Reset();
        await run();
        return _meter.Total;
    }

    private static IEnumerable<string> ReadmeRows() =>
        ReadmeLines().SkipWhile(line => !line.StartsWith("| request | calls |", StringComparison.Ordinal)).Skip(2).TakeWhile(line => line.StartsWith('|'));

    private static string[] ReadmeLines() =>
        File.ReadAllLines(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", "src", "Idempotency.AspNetCore.DynamoDB", "README.md"));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
