using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc.Testing;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The sample as its own tests would drive it, with <see cref="WebApplicationFactory{TEntryPoint}"/>.</summary>
public sealed class SampleTests : IDisposable
{
    private const string Payment = """{"name":"Ada Lovelace","email":"ada@example.com","amount":42.50}""";
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"payments-{Guid.NewGuid():N}.db");
    private readonly WebApplicationFactory<Program> _sample;

    public SampleTests()
    {
        _sample = Start();
    }

    public void Dispose()
    {
        _sample.Dispose();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        foreach (var file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*"))
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Ten_at_once_are_one_payment()
    {
        using var client = _sample.CreateClient();
        var responses = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => client.SendAsync(Api.Request("/payments?delay=50", json: Payment))));
        Assert.All(responses, response => Assert.Contains(response.StatusCode, new[] { HttpStatusCode.Created, HttpStatusCode.Conflict }));
        Assert.Single(responses, response => response.StatusCode == HttpStatusCode.Created && !response.IsReplay());
        Assert.Equal(1, await CountAsync(client));
        using var retry = await client.SendAsync(Api.Request("/payments?delay=50", json: Payment));
        Assert.True(retry.IsReplay());
        using var other = await client.SendAsync(Api.Request("/payments?delay=50", json: Payment.Replace("42.50", "43", StringComparison.Ordinal)));
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.Equal(1, await CountAsync(client));
    }

    [Fact]
    public async Task The_same_order_twice_is_one_order()
    {
        using var client = _sample.CreateClient();
        using var first = await client.SendAsync(Api.Request("/orders", key: null, json: Payment));
        using var same = await client.SendAsync(Api.Request("/orders", key: null, json: """{ "amount": 4.25e1, "email": "ada@example.com", "name": "Ada Lovelace" }"""));
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        Assert.True(same.IsReplay());
        Assert.Equal(1, await CountAsync(client));
    }

    [Fact]
    public async Task What_is_sent_beside_what_makes_an_order_does_not_make_another()
    {
        using var client = _sample.CreateClient();
        using var first = await client.SendAsync(Api.Request("/orders", key: null, json: Payment.Replace("{", """{"sentAt":"10:15",""", StringComparison.Ordinal)));
        using var again = await client.SendAsync(Api.Request("/orders", key: null, json: Payment.Replace("{", """{"sentAt":"10:16",""", StringComparison.Ordinal)));
        using var other = await client.SendAsync(Api.Request("/orders", key: null, json: Payment.Replace("42.50", "43", StringComparison.Ordinal)));
        Assert.Equal((HttpStatusCode.Created, false), (first.StatusCode, first.IsReplay()));
        Assert.Equal((HttpStatusCode.Created, true), (again.StatusCode, again.IsReplay()));
        Assert.Equal((HttpStatusCode.Created, false), (other.StatusCode, other.IsReplay()));
        using var nothing = await client.SendAsync(Api.Request("/orders", key: null, json: """{"sentAt":"10:15"}"""));
        await nothing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Equal(2, await CountAsync(client));
    }

    [Fact]
    public async Task What_was_paid_and_what_was_answered_survive_a_restart_together()
    {
        using (var client = _sample.CreateClient())
        {
            using var first = await client.SendAsync(Api.Request("/payments", json: Payment));
            Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        }

        _sample.Dispose();
        await using var restarted = Start();
        using var later = restarted.CreateClient();
        using var again = await later.SendAsync(Api.Request("/payments", json: Payment));
        Assert.Equal((HttpStatusCode.Created, true), (again.StatusCode, again.IsReplay()));
        Assert.Equal(1, await CountAsync(later));
    }

    [Fact]
    public async Task The_controller_beside_it_refunds_once()
    {
        using var client = _sample.CreateClient();
        using var payment = await client.SendAsync(Api.Request("/payments", json: Payment));
        var id = JsonDocument.Parse(await payment.TextAsync()).RootElement.GetProperty("id").GetString();
        using var refund = await client.SendAsync(Api.Request("/refunds", json: $$"""{"paymentId":"{{id}}"}"""));
        using var again = await client.SendAsync(Api.Request("/refunds", json: $$"""{"paymentId":"{{id}}"}"""));
        Assert.True(refund.IsSuccessStatusCode, await refund.TextAsync());
        Assert.True(again.IsReplay());
        Assert.Equal(2, await CountAsync(client));
    }

    [Fact]
    public async Task A_payout_that_the_queue_delivers_twice_is_executed_once()
    {
        using var client = _sample.CreateClient();
        using var accepted = await client.SendAsync(Api.Request("/payouts", json: Payment));
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        JsonElement? status = null;
        await Eventually.TrueAsync(
            async () =>
            {
                using var response = await client.GetAsync(accepted.Headers.Location);
                status = response.IsSuccessStatusCode ? JsonDocument.Parse(await response.TextAsync()).RootElement : null;
                return status?.GetProperty("deliveries").GetInt32() == 2;
            },
            "both deliveries");
        Assert.Equal(("payout", 1), (status?.GetProperty("payment").GetProperty("kind").GetString(), status?.GetProperty("payment").GetProperty("execution").GetInt32()));
        Assert.Equal(1, await CountAsync(client));
    }

    [Fact]
    public async Task A_subscription_that_failed_after_its_charge_resumes_there()
    {
        using var client = _sample.CreateClient();
        using var failed = await client.SendAsync(Api.Request("/subscriptions?failures=1", json: Payment));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.StatusCode);
        Assert.Equal("""{"charges":1,"welcomes":0}""", await client.GetStringAsync("/subscriptions/key-1"));
        using var retry = await client.SendAsync(Api.Request("/subscriptions?failures=1", json: Payment));
        Assert.Equal(HttpStatusCode.Created, retry.StatusCode);
        using var again = await client.SendAsync(Api.Request("/subscriptions?failures=1", json: Payment));
        Assert.True(again.IsReplay());
        Assert.Equal("""{"charges":1,"welcomes":1}""", await client.GetStringAsync("/subscriptions/key-1"));
        Assert.Equal(1, await CountAsync(client));
    }

    [Fact]
    public async Task Its_document_says_which_endpoints_want_a_key()
    {
        using var client = _sample.CreateClient();
        using var document = JsonDocument.Parse(await client.GetStringAsync("/openapi/v1.json"));
        var wanting = document.RootElement.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => (Path: path.Name, Operation: operation.Value)))
            .Where(operation => operation.Operation.GetProperty("responses").TryGetProperty("422", out _))
            .Select(operation => operation.Path);
        Assert.Equal(["/orders", "/payments", "/payouts", "/refunds", "/subscriptions"], wanting.Order(StringComparer.Ordinal));
    }

    private WebApplicationFactory<Program> Start() => new WebApplicationFactory<Program>().WithWebHostBuilder(host => host.UseSetting("ConnectionStrings:Sqlite", $"Data Source={_file}"));

    private static async Task<int> CountAsync(HttpClient client)
    {
        using var ledger = JsonDocument.Parse(await client.GetStringAsync("/payments"));
        return ledger.RootElement.GetProperty("count").GetInt32();
    }
}
