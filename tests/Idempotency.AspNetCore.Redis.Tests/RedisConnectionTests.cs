using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Idempotency.AspNetCore.Redis.Tests;

/// <summary>Where the store's connection comes from, and what happens while there is none.</summary>
public sealed class RedisConnectionTests(RedisServer server)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    // A client that would wait for an hour: what comes back earlier did not wait for it.
    private const string Patient = ",connectTimeout=500,asyncTimeout=3600000,syncTimeout=3600000";

    private static async Task<RedisNode> StartedAsync(params string[] settings)
    {
        var node = new RedisNode(["--save", "", .. settings]);
        await node.StartAsync();
        return node;
    }

    private static Task<IdempotencyRecord?> ReadAsync(RedisIdempotencyStore store) => SoonAsync(store.ReadAsync(RedisStoreTests.NewKey(), default).AsTask());

    private static Task<bool> DeleteAsync(RedisIdempotencyStore store) => SoonAsync(store.DeleteAsync(RedisStoreTests.NewKey(), default).AsTask());

    // A deadline that cannot be taken for a time-out of the store's.
    private static async Task<T> SoonAsync<T>(Task<T> call)
    {
        await Task.WhenAny(call, Task.Delay(Deadline));
        Assert.True(call.IsCompleted, $"The call has not ended within {Deadline}.");
        return await call;
    }

    private static async Task AssertWorksAsync(RedisIdempotencyStore store)
    {
        var key = RedisStoreTests.NewKey();
        Assert.True(await store.CompleteAsync(key, await RedisStoreTests.ClaimAsync(store, key), new byte[] { 1 }, Hour, default));
        Assert.Equal([1], (await store.ReadAsync(key, default))!.Payload.ToArray());
        Assert.True(await store.DeleteAsync(key, default));
    }

    private static RedisIdempotencyStore Resolve(Action<RedisIdempotencyStoreOptions>? configure, Action<IServiceCollection>? register = null)
    {
        var services = new ServiceCollection();
        register?.Invoke(services);
        services.AddIdempotency().AddRedisStore(configure);
        return (RedisIdempotencyStore)services.BuildServiceProvider().GetRequiredService<IIdempotencyStore>();
    }

    [Fact]
    public async Task A_request_is_rejected_at_once_while_the_server_is_away_and_runs_when_it_is_back()
    {
        using var node = new RedisNode(["--save", ""]);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Services.AddIdempotency().AddRedisStore(options =>
        {
            options.Configuration = $"127.0.0.1:{node.Port}" + Patient;
            options.CallTimeout = Hour;
        });
        builder.Services.AddProblemDetails();
        await using var app = builder.Build();
        app.UseIdempotency();
        var runs = 0;
        app.MapPost("/payments", () => Interlocked.Increment(ref runs)).WithIdempotency(new IdempotencyPolicy { Partition = _ => "tests" });
        await app.StartAsync();
        using var client = app.GetTestClient();

        // Twice: before there ever was a server, and after one has gone.
        for (var round = 1; round <= 2; round++)
        {
            for (var i = 0; i < 3; i++)
            {
                using var rejected = await PostAsync("away");
                Assert.Equal(HttpStatusCode.ServiceUnavailable, rejected.StatusCode);
                Assert.NotNull(rejected.Headers.RetryAfter);
            }

            Assert.Equal(round - 1, runs);
            await node.StartAsync();
            await RedisStoreTests.UntilAsync(async () =>
            {
                using var response = await PostAsync($"back {round}");
                return response.IsSuccessStatusCode;
            });
            Assert.Equal(round, runs);
            node.Kill();
        }

        Task<HttpResponseMessage> PostAsync(string key)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, "/payments");
            request.Headers.Add("Idempotency-Key", $"\"{key}\"");
            return SoonAsync(client.SendAsync(request));
        }
    }

    [Fact]
    public async Task The_connection_is_opened_when_the_application_starts()
    {
        using var node = await StartedAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Services.AddIdempotency().AddRedisStore($"127.0.0.1:{node.Port},name=warm");
        await using var app = builder.Build();

        await app.StartAsync();

        await RedisStoreTests.UntilAsync(async () => (await node.AskAsync("CLIENT", "LIST")).Contains("name=warm", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Calls_fail_at_once_when_the_server_has_gone()
    {
        using var node = await StartedAsync();
        using var store = RedisStoreTests.Create($"127.0.0.1:{node.Port}" + Patient, options => options.CallTimeout = Hour);
        await ReadAsync(store);

        node.Kill();

        for (var i = 0; i < 3; i++)
        {
            await Assert.ThrowsAsync<RedisConnectionException>(() => ReadAsync(store));
        }
    }

    [Fact]
    public async Task On_a_connection_with_a_backlog_calls_fail_after_the_call_timeout_when_the_server_has_gone()
    {
        using var node = await StartedAsync();
        using var shared = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{node.Port}" + Patient);
        using var store = RedisStoreTests.Create(null, options => options.CallTimeout = TimeSpan.FromMilliseconds(300), shared);
        await RedisStoreTests.UntilItWorksAsync(store);

        node.Kill();

        // What the client had sent already may fail with its connection; what it queues does not fail by itself.
        await RedisStoreTests.UntilAsync(async () => await Assert.ThrowsAnyAsync<Exception>(() => ReadAsync(store)) is TimeoutException timeout
            && timeout.Message.Contains(nameof(RedisIdempotencyStoreOptions.CallTimeout), StringComparison.Ordinal));
        await RedisStoreTests.UntilAsync(async () => await Assert.ThrowsAnyAsync<Exception>(() => DeleteAsync(store)) is TimeoutException timeout
            && timeout.Message.Contains(nameof(RedisIdempotencyStoreOptions.CallTimeout), StringComparison.Ordinal));
        await node.StartAsync();
        await RedisStoreTests.UntilItWorksAsync(store);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Calls_to_a_server_that_hangs_fail_after_the_call_timeout(bool isShared)
    {
        using var node = await StartedAsync();
        var configuration = $"127.0.0.1:{node.Port}" + Patient;
        using var shared = isShared ? await ConnectionMultiplexer.ConnectAsync(configuration) : null;
        using var store = RedisStoreTests.Create(isShared ? null : configuration, options => options.CallTimeout = TimeSpan.FromMilliseconds(300), shared);
        await RedisStoreTests.UntilItWorksAsync(store);

        node.Process.Signal("STOP");
        await Assert.ThrowsAnyAsync<TimeoutException>(() => ReadAsync(store));
        await Assert.ThrowsAnyAsync<TimeoutException>(() => DeleteAsync(store));
        node.Process.Signal("CONT");

        await RedisStoreTests.UntilItWorksAsync(store);
    }

    [Fact]
    public async Task A_server_may_come_up_after_the_application_go_and_come_back()
    {
        using var node = new RedisNode(["--save", ""]);
        using var store = RedisStoreTests.Create($"127.0.0.1:{node.Port},connectTimeout=500");
        await Assert.ThrowsAsync<RedisConnectionException>(() => ReadAsync(store));
        for (var round = 0; round < 2; round++)
        {
            await node.StartAsync();
            await RedisStoreTests.UntilItWorksAsync(store);
            node.Kill();
            await Assert.ThrowsAsync<RedisConnectionException>(() => ReadAsync(store));
        }
    }

    [Fact]
    public async Task Sentinels_may_come_up_after_the_application()
    {
        await using var nodes = new RedisSentinelNodes(downAfter: 30_000);
        using var store = RedisStoreTests.Create(nodes.Configuration + ",connectTimeout=500");
        await Assert.ThrowsAnyAsync<RedisException>(() => ReadAsync(store));
        await nodes.StartAsync();
        await RedisStoreTests.UntilItWorksAsync(store);
    }

    [Fact]
    public void A_password_may_look_like_part_of_a_URI() => Resolve(options => options.Configuration = "localhost:1,password=ab://cd").Dispose();

    [Fact]
    public async Task The_applications_connection_is_used_when_the_options_name_none()
    {
        using var shared = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using (var store = RedisStoreTests.Create(null, shared: shared))
        {
            await AssertWorksAsync(store);
        }

        Assert.True(shared.IsConnected); // and not closed: it is the application's
        var failure = Assert.Throws<InvalidOperationException>(() => RedisStoreTests.Create(null));
        Assert.Contains("AddRedisStore", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_keyed_connection_is_used_when_the_options_name_its_key()
    {
        using var keyed = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        using (var store = Resolve(options => options.ConnectionServiceKey = "payments", services => services.AddKeyedSingleton<IConnectionMultiplexer>("payments", (_, _) => keyed)))
        {
            await AssertWorksAsync(store);
        }

        Assert.True(keyed.IsConnected);
        var missing = Assert.Throws<InvalidOperationException>(() => Resolve(options => options.ConnectionServiceKey = "payments", services => services.AddSingleton<IConnectionMultiplexer>(keyed)));
        Assert.Contains("'payments'", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_of_the_factory_is_used_and_disposed_with_the_store()
    {
        var calls = 0;
        ConnectionMultiplexer? made = null;
        using (var store = Resolve(options =>
        {
            options.Configuration = "nobody.invalid:1"; // the factory comes first, as in the framework's own options
            options.ConnectionMultiplexerFactory = async () => Interlocked.Increment(ref calls) <= 2
                ? throw new PlatformNotSupportedException("not yet")
                : made = await ConnectionMultiplexer.ConnectAsync(server.Configuration);
        }))
        {
            Assert.Equal("not yet", (await Assert.ThrowsAsync<PlatformNotSupportedException>(() => ReadAsync(store))).Message);
            await RedisStoreTests.UntilItWorksAsync(store);
            await AssertWorksAsync(store);
        }

        Assert.Equal(3, calls);
        Assert.False(made!.IsConnected);
    }

    [Fact]
    public async Task Configuration_options_are_copied_and_used_before_the_string()
    {
        var configuration = ConfigurationOptions.Parse(server.Configuration);
        configuration.AbortOnConnectFail = true;
        using var store = Resolve(options => (options.ConfigurationOptions, options.Configuration) = (configuration, "nobody.invalid:1"));
        await AssertWorksAsync(store);
        Assert.True(configuration.AbortOnConnectFail);
        Assert.Same(BacklogPolicy.Default, configuration.BacklogPolicy);
    }

    [Theory]
    [InlineData("password=only", "has no server")]
    [InlineData("", "has no server")]
    [InlineData("host,nonsense=1", "is not a StackExchange.Redis configuration string")]
    [InlineData("host:99999", "is not a StackExchange.Redis configuration string")]
    [InlineData("host,tunnel=x", "tunnel=http:")]
    [InlineData("redis://h:1", "host:port")]
    [InlineData("redis://h:1,tunnel=http:proxy:3128", "host:port")]
    [InlineData("first:6379,redis://h:1", "host:port")]
    [InlineData("rediss://user:secret@h:6380/0", "ssl=true")]
    public void A_configuration_that_makes_no_sense_is_rejected_when_the_application_starts(string configuration, string message)
    {
        var services = new ServiceCollection();
        services.AddIdempotency().AddRedisStore(options => options.Configuration = configuration);
        var failure = Assert.Throws<OptionsValidationException>(() => services.BuildServiceProvider().GetRequiredService<IOptions<RedisIdempotencyStoreOptions>>().Value);
        Assert.Contains("RedisIdempotencyStoreOptions.Configuration", failure.Message, StringComparison.Ordinal);
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_options_that_make_no_sense_are_rejected_when_the_application_starts()
    {
        AssertRejected(options => options.KeyPrefix = null!, nameof(RedisIdempotencyStoreOptions.KeyPrefix));
        AssertRejected(options => options.Database = -2, nameof(RedisIdempotencyStoreOptions.Database));
        AssertRejected(options => options.CallTimeout = TimeSpan.Zero, nameof(RedisIdempotencyStoreOptions.CallTimeout));
        AssertRejected(options => options.CallTimeout = TimeSpan.MaxValue, nameof(RedisIdempotencyStoreOptions.CallTimeout));
        AssertRejected(options => options.ConfigurationOptions = new ConfigurationOptions(), nameof(RedisIdempotencyStoreOptions.ConfigurationOptions));

        static void AssertRejected(Action<RedisIdempotencyStoreOptions> configure, string named) =>
            Assert.Contains($"RedisIdempotencyStoreOptions.{named}", Assert.Throws<OptionsValidationException>(() => Resolve(configure)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_user_and_the_rights_of_the_README_are_enough_through_Sentinel()
    {
        await using var nodes = new RedisSentinelNodes(downAfter: 30_000);
        await nodes.StartAsync();
        foreach (var server in nodes.Servers)
        {
            Assert.Equal("OK", await server.AskAsync(Readme.Line("ACL SETUSER payments on >password ~payments:*").Split(' ')));
        }

        foreach (var sentinel in nodes.Sentinels)
        {
            Assert.Equal("OK", await sentinel.AskAsync(Readme.Line("ACL SETUSER payments on >password +sentinel").Split(' ')));
        }

        using var store = RedisStoreTests.Create(nodes.Configuration + ",user=payments,password=password", options => options.KeyPrefix = "payments:");
        await RedisStoreTests.UntilItWorksAsync(store);
        var key = RedisStoreTests.NewKey();
        var owner = await RedisStoreTests.ClaimAsync(store, key);
        Assert.True(await store.CompleteAsync(key, owner, new byte[1], Hour, default));
        foreach (var node in new[] { nodes.Servers[0], nodes.Sentinels[0] })
        {
            Assert.Contains("user=payments", await node.AskAsync("CLIENT", "LIST"), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("resp2")]
    [InlineData("resp3")]
    public async Task The_user_and_the_rights_of_the_README_are_enough(string protocol)
    {
        using var node = await StartedAsync();
        Assert.Equal("OK", await node.AskAsync(Readme.Line("ACL SETUSER payments on >password ~payments:*").Split(' ')));
        await node.AskAsync("ACL", "SETUSER", "default", "off");
        using var store = RedisStoreTests.Create(
            Readme.Configuration("user=payments,password=password", $"127.0.0.1:{node.Port}") + $",protocol={protocol}",
            options => options.KeyPrefix = "payments:");

        var (key, released) = (RedisStoreTests.NewKey(), RedisStoreTests.NewKey());
        var claim = RedisStoreTests.NewClaim() with { Lease = TimeSpan.Zero };
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        await RedisStoreTests.UntilAsync(async () => (await store.ReadAsync(key, default))!.IsAbandoned);

        var next = RedisStoreTests.NewClaim() with { Supersedes = claim.Owner, Attempt = 2 };
        Assert.True((await store.ClaimAsync(key, next, default)).IsAcquired);
        Assert.False((await store.ClaimAsync(key, RedisStoreTests.NewClaim(), default)).IsAcquired);
        Assert.False(await store.RenewAsync(key, claim.Owner, Hour, Hour, default));
        Assert.True(await store.RenewAsync(key, next.Owner, Hour, 2 * Hour, default));
        Assert.True(await store.MarkEffectsStartedAsync(key, next.Owner, Hour, Hour, default));
        Assert.True(await store.SaveStepsAsync(key, next.Owner, RedisStoreTests.Steps(1, 5), Hour, Hour, default));
        Assert.True(await store.SaveStepsAsync(key, next.Owner, RedisStoreTests.Steps(1, 5), Hour, Hour, default));
        Assert.True(await store.ReleaseAsync(key, next.Owner, default));
        next = next with { Supersedes = Guid.Empty, Owner = Guid.NewGuid(), Attempt = 3 };
        Assert.Equal([5], (await store.ClaimAsync(key, next, default)).Steps.ToArray());
        Assert.True(await store.CompleteAsync(key, next.Owner, new byte[1], Hour, default));
        Assert.True(await store.DeleteAsync(key, default));
        Assert.False(await store.CompleteAsync(key, next.Owner, new byte[1], Hour, default));
        Assert.True(await store.ReleaseAsync(released, await RedisStoreTests.ClaimAsync(store, released), default));

        using var strangers = RedisStoreTests.Create(Readme.Configuration("user=payments,password=password", $"127.0.0.1:{node.Port}"), options => options.KeyPrefix = "others:");
        Assert.Contains("NOPERM", (await Assert.ThrowsAsync<RedisServerException>(() => ReadAsync(strangers))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Over_TLS_with_a_private_certificate_authority()
    {
        var folder = Directory.CreateTempSubdirectory("idempotency-tls-").FullName;
        var (authority, certificate, key) = (Path.Combine(folder, "ca.pem"), Path.Combine(folder, "cert.pem"), Path.Combine(folder, "key.pem"));
        await WriteCertificatesAsync(authority, certificate, key);
        using var node = new RedisNode(["--save", "", "--tls-port", "0"]);
        var port = FreePort.Next();
        using var tls = await RedisServer.StartAsync(node.Port, "--tls-port", $"{port}", "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority, "--tls-auth-clients", "no");
        var configuration = Readme.Configuration("redis.internal:6380,ssl=true", $"localhost:{port}");

        var trusting = ConfigurationOptions.Parse(configuration);
        trusting.TrustIssuer(authority);
        using (var store = Resolve(options => options.ConfigurationOptions = trusting))
        {
            await AssertWorksAsync(store);
        }

        using var untrusting = RedisStoreTests.Create(configuration + ",connectTimeout=1000");
        await Assert.ThrowsAsync<RedisConnectionException>(() => ReadAsync(untrusting));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task After_it_is_disposed_it_makes_no_connection()
    {
        var store = RedisStoreTests.Create(server.Configuration);
        store.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => ReadAsync(store));

        var used = RedisStoreTests.Create(server.Configuration);
        await ReadAsync(used);
        used.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => ReadAsync(used));
    }

    private static async Task WriteCertificatesAsync(string authority, string certificate, string key)
    {
        using var issuerKey = RSA.Create(2048);
        var issuerRequest = new CertificateRequest("CN=Private CA", issuerKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        issuerRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using var issuer = issuerRequest.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(2));
        using var serverKey = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", serverKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(issuer, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1), [1, 2, 3, 4]);
        await File.WriteAllTextAsync(authority, issuer.ExportCertificatePem());
        await File.WriteAllTextAsync(certificate, issued.ExportCertificatePem());
        await File.WriteAllTextAsync(key, serverKey.ExportPkcs8PrivateKeyPem());
    }
}
