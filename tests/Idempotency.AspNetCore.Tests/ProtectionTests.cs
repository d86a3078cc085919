using Microsoft.Extensions.DependencyInjection.Extensions;
using System.Security.Cryptography;
using System.Net;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Responses at rest are encrypted, and what was tampered with is never replayed and never run.</summary>
public sealed class ProtectionTests : IDisposable
{
    private const string Secret = "the account number is 4711";

    private readonly InMemoryIdempotencyStore _records = new(Options.Create(new InMemoryIdempotencyStoreOptions()), TimeProvider.System);
    private readonly KeyRing _keys = new();
    private int _runs;

    public void Dispose() => _records.Dispose();

    [Theory]
    [InlineData(10)]
    [InlineData(100_000)]
    public async Task The_store_holds_no_plain_text_and_replays_are_the_same(int size)
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync($"/?size={size}");
        using var replay = await api.SendAsync($"/?size={size}");
        Assert.Equal(await first.TextAsync(), await replay.TextAsync());
        Assert.True(replay.IsReplay());
        await using var other = await StartAsync(); // a server that has nothing in its cache
        using var elsewhere = await other.SendAsync($"/?size={size}");
        Assert.Equal(await first.TextAsync(), await elsewhere.TextAsync());
        Assert.True(elsewhere.IsReplay());
        Assert.Equal(1, _runs);
        var stored = await _records.ReadAsync(api.Store.LastKey, default);
        Assert.DoesNotContain("account", Encoding.Latin1.GetString(stored!.Payload.Span), StringComparison.Ordinal);
        Assert.DoesNotContain("text/plain", Encoding.Latin1.GetString(stored.Payload.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_that_are_away_run_nothing()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => ++runs).WithIdempotency(),
            services: services =>
            {
                services.AddIdempotency().ProtectResponses();
                services.RemoveAll<IDataProtectionProvider>();
                services.AddSingleton<IDataProtectionProvider>(new NoKeys());
            });
        for (var i = 0; i < 3; i++)
        {
            var sent = api.SendAsync();
            await api.Time.PassUntilDoneAsync(sent, "answered");
            using var response = await sent;
            await response.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
            api.Time.Advance(TimeSpan.FromMinutes(2));
        }

        Assert.Equal(0, runs);
    }

    [Fact]
    public async Task Answers_outlive_the_rotation_of_keys()
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync();
        var manager = api.Services.GetRequiredService<IKeyManager>();
        manager.CreateNewKey(DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddDays(90));
        await using var other = await StartAsync();
        using var second = await other.SendAsync(key: "2");
        Assert.NotEqual(await KeyIdAsync(api.Store.LastKey), await KeyIdAsync(other.Store.LastKey));
        using var replay = await other.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal(2, _runs);

        // The id of a Data Protection key comes after the four bytes that everything it makes begins with.
        async Task<Guid> KeyIdAsync(StoreKey key) => new((await _records.ReadAsync(key, default))!.Payload.Span.Slice(4, 16));
    }

    [Fact]
    public async Task A_record_that_was_tampered_with_is_503_and_never_runs()
    {
        await using var api = await StartAsync();
        using var first = await api.SendAsync();
        var key = api.Store.LastKey;
        var record = (await _records.ReadAsync(key, default))!;
        for (var i = 0; i < record.Payload.Length; i += 7)
        {
            var tampered = record.Payload.ToArray();
            tampered[i] ^= 1;
            await ReplaceAsync(key, record, tampered);
            await AssertRefusedAsync();
        }

        await ReplaceAsync(key, record, []);
        await AssertRefusedAsync();
        await ReplaceAsync(key, record, record.Payload[..^1].ToArray());
        await AssertRefusedAsync();
        await ReplaceAsync(key, record, record.Payload.ToArray());
        await using var server = await StartAsync();
        using var replay = await server.SendAsync();
        Assert.True(replay.IsReplay());
        Assert.Equal(1, _runs);
    }

    [Fact]
    public async Task A_record_of_another_key_does_not_pass_for_this_one()
    {
        await using var api = await StartAsync();
        using var mine = await api.SendAsync(key: "mine");
        var record = (await _records.ReadAsync(api.Store.LastKey, default))!;
        using var yours = await api.SendAsync(key: "yours");
        await ReplaceAsync(api.Store.LastKey, record, record.Payload.ToArray());
        await AssertRefusedAsync("yours");
    }

    [Fact]
    public async Task With_the_keys_gone_it_is_503_and_never_runs()
    {
        await using (var api = await StartAsync())
        {
            using var first = await api.SendAsync();
        }

        _keys.Clear();
        await AssertRefusedAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_written_without_protection_is_replayed_only_where_that_is_accepted(bool isAccepted)
    {
        await using (var plain = await StartAsync(isProtected: false))
        {
            using var first = await plain.SendAsync();
        }

        if (!isAccepted)
        {
            await AssertRefusedAsync();
            return;
        }

        await using var api = await StartAsync(acceptUnprotected: true);
        using var replay = await api.SendAsync();
        Assert.True(replay.IsReplay());
        using var next = await api.SendAsync(key: "next");
        var stored = (await _records.ReadAsync(api.Store.LastKey, default))!;
        Assert.DoesNotContain("account", Encoding.Latin1.GetString(stored.Payload.Span), StringComparison.Ordinal);
        Assert.Equal(2, _runs);
    }

    [Fact]
    public async Task Protection_counts_where_a_store_limits_payloads()
    {
        await using var small = await StartAsync(maxPayloadSize: 2000);
        using var fits = await small.SendAsync("/?size=500", key: "a");
        using var replay = await small.SendAsync("/?size=500", key: "a");
        Assert.True(replay.IsReplay());
        using var first = await small.SendAsync("/?size=1900", key: "b");
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        using var retry = await small.SendAsync("/?size=1900", key: "b");
        await retry.AssertProblemAsync(409, "idempotency-response-unavailable", "no");
        Assert.True((await _records.ReadAsync(small.Store.LastKey, default))!.Payload.Length <= 2000);
    }

    private async Task AssertRefusedAsync(string key = "key-1")
    {
        var before = _runs;
        await using var server = await StartAsync();
        using var refused = await server.SendAsync(key: key);
        await refused.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        Assert.Equal(1, server.Logs.Count("RecordUnreadable"));
        Assert.Equal(before, _runs);
    }

    private async Task ReplaceAsync(StoreKey key, IdempotencyRecord record, byte[] payload)
    {
        var claim = new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = record.Fingerprint, Attempt = 1, Lease = TimeSpan.FromMinutes(1), Retention = TimeSpan.FromHours(1) };
        await _records.DeleteAsync(key, default);
        Assert.True((await _records.ClaimAsync(key, claim, default)).IsAcquired);
        Assert.True(await _records.CompleteAsync(key, claim.Owner, payload, TimeSpan.FromHours(1), default));
    }

    private Task<Api> StartAsync(bool isProtected = true, bool acceptUnprotected = false, int maxPayloadSize = int.MaxValue) => Api.StartAsync(
        app => app.MapPost("/", (HttpContext context) =>
        {
            Interlocked.Increment(ref _runs);
            var size = int.TryParse(context.Request.Query["size"], out var asked) ? asked : 0;
            var noise = new byte[size];
            new Random(1).NextBytes(noise);
            return Results.Text(Secret + Convert.ToBase64String(noise));
        }).WithIdempotency(),
        services: services =>
        {
            services.AddSingleton(_records);
            services.AddSingleton(provider => new ObservedStore(_records) { MaxPayloadSize = maxPayloadSize });
            services.AddSingleton<IIdempotencyStore>(provider => provider.GetRequiredService<ObservedStore>());
            services.Configure<KeyManagementOptions>(options => options.XmlRepository = _keys);
            if (isProtected)
            {
                services.AddIdempotency().ProtectResponses(options => options.AcceptUnprotected = acceptUnprotected);
            }
        });

    private sealed class NoKeys : IDataProtectionProvider, IDataProtector
    {
        public IDataProtector CreateProtector(string purpose) => this;

        public byte[] Protect(byte[] plaintext) => throw new CryptographicException("The key ring cannot be loaded.");

        public byte[] Unprotect(byte[] protectedData) => throw new CryptographicException("The key ring cannot be loaded.");
    }

    private sealed class KeyRing : IXmlRepository
    {
        private readonly List<XElement> _elements = [];

        public IReadOnlyCollection<XElement> GetAllElements()
        {
            lock (_elements)
            {
                return [.. _elements.Select(element => new XElement(element))];
            }
        }

        public void StoreElement(XElement element, string friendlyName)
        {
            lock (_elements)
            {
                _elements.Add(element);
            }
        }

        public void Clear()
        {
            lock (_elements)
            {
                _elements.Clear();
            }
        }
    }

    [Fact]
    public async Task Keys_that_cannot_be_reached_run_nothing_whatever_the_policy_says_of_stores()
    {
        var keys = new RemoteKeys();
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => ++runs).WithIdempotency(new IdempotencyPolicy { WhenStoreUnavailable = StoreUnavailableBehavior.Execute }),
            services: services =>
            {
                services.AddIdempotency().ProtectResponses();
                services.AddSingleton<IDataProtectionProvider>(keys);
            });
        using var first = await api.SendAsync();
        api.CompletedRecords.Remove(api.Store.LastKey);
        keys.AreAway = true;
        using var retry = await api.SendAsync();
        await retry.AssertProblemAsync(503, "idempotency-store-unavailable", "same-key");
        Assert.Equal(1, runs);
    }

    /// <summary>A provider of the application's own, which does not turn its failures into cryptographic ones.</summary>
    private sealed class RemoteKeys : IDataProtectionProvider, IDataProtector
    {
        public bool AreAway { get; set; }

        public IDataProtector CreateProtector(string purpose) => this;

        public byte[] Protect(byte[] plaintext) => [0x09, 0xF0, 0xC9, 0xF0, .. plaintext];

        public byte[] Unprotect(byte[] protectedData) => AreAway ? throw new HttpRequestException("away") : protectedData[4..];
    }
}
