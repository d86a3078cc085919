using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The code of docs/from-powertools.md, run.</summary>
public sealed class PowertoolsPageTests
{
    private int _runs;

    private static Functions Start() => new(
        options => options.AddPolicy("orders", new IdempotencyPolicy { KeySelector = "order_id", Retention = TimeSpan.FromHours(1) }),
        configure: idempotency => idempotency.AddJmesPath());

    [Fact]
    public async Task The_nearest_policy_does_as_Powertools_does_by_default()
    {
        #region docs: powertools-policy
        var asBefore = new IdempotencyPolicy
        {
            KeySelector = "[user_id, product_id]",
            KeyRequired = false,
            Fingerprint = RequestFingerprintMode.None,
            Retention = TimeSpan.FromHours(1),
        };
        #endregion

        await using var api = await Selecting.StartAsync(asBefore);
        using var first = await api.PostAsync("""{"user_id":1,"product_id":2,"amount":5}""");
        using var otherAmount = await api.PostAsync("""{"user_id":1,"product_id":2,"amount":6}""");
        using var without = await api.PostAsync("""{"amount":6}""");
        Assert.True(otherAmount.IsReplay());
        Assert.StartsWith("2 ", await without.TextAsync(), StringComparison.Ordinal);
        api.Time.Advance(TimeSpan.FromHours(1));
        using var over = await api.PostAsync("""{"user_id":1,"product_id":2,"amount":6}""");
        Assert.StartsWith("3 ", await over.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Expressions_come_along_and_replays_can_be_changed()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                #region docs: powertools-endpoint
                app.MapPost("/payments", (Payment payment) => Pay(payment)).WithIdempotency(new IdempotencyPolicy
                {
                    KeySelector = "powertools_json(body).[user_id, product_id]",  // event_key_jmespath
                    FingerprintSelector = "powertools_json(body).amount",         // payload_validation_jmespath
                });
                #endregion
            },
            services: services => services.AddIdempotency().AddJmesPath(),
            outer: app =>
            {
                #region docs: powertools-hook
                app.Use((context, next) =>
                {
                    context.Response.OnStarting(() =>
                    {
                        if (context.Response.Headers.ContainsKey("Idempotent-Replayed"))
                        {
                            context.Response.Headers["X-Duplicate"] = "yes";
                        }

                        return Task.CompletedTask;
                    });
                    return next(context);
                });
                app.UseIdempotency();
                #endregion
            });

        using var first = await api.PostAsync("""{"user_id":"u","product_id":"p","amount":5,"sent":1}""", "/payments");
        using var again = await api.PostAsync("""{"user_id":"u","product_id":"p","amount":5,"sent":2}""", "/payments");
        using var reused = await api.PostAsync("""{"user_id":"u","product_id":"p","amount":6}""", "/payments");
        using var missing = await api.PostAsync("""{"amount":6}""", "/payments");
        Assert.Null(first.Header("X-Duplicate"));
        Assert.Equal("yes", again.Header("X-Duplicate"));
        Assert.Equal("""{"paid":5,"serverCacheHit":true}""", await again.TextAsync());
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");

        static object Pay(Payment payment) => new { paid = payment.Amount };
    }

    [Fact]
    public void The_settings_are_read()
    {
        var page = File.ReadAllText(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../docs/from-powertools.md"));
        var settings = page.Split("<!-- json: powertools-settings -->\n```json\n")[1].Split("```")[0];
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(settings)));
        builder.Configuration.AddInMemoryCollection([new("Idempotency:Enabled", "false")]); // as the environment variable would
        builder.Services.AddIdempotency(builder.Configuration.GetSection("Idempotency")).AddJmesPath();
        var options = builder.Services.BuildServiceProvider().GetRequiredService<IOptions<IdempotencyOptions>>().Value;
        Assert.Equal((256, false), (options.LocalCacheMaxEntries, options.Enabled));
        Assert.Equal(new IdempotencyPolicy { KeySelector = "[user_id, product_id]", FingerprintSelector = "amount", Retention = TimeSpan.FromHours(1) }, options.Policies["payments"] with { ExcludedHeaders = new IdempotencyPolicy().ExcludedHeaders });
    }

    [Fact]
    public async Task A_function_runs_once_for_what_is_selected_of_its_argument()
    {
        await using var functions = Start();
        var executor = functions.Executor;
        foreach (var order in new[] { new PaidOrder("o-1", 5), new PaidOrder("o-1", 5) })
        {
            #region docs: powertools-function
            var receipt = await executor.ExecuteAsync(
                "process-order",               // key_prefix
                IdempotentPayload.Of(order),   // data_keyword_argument
                (run, cancellation) => ProcessAsync(order, cancellation),
                new IdempotentCallOptions
                {
                    PolicyName = "orders",
                    Payload = IdempotentPayload.Of(order), // validated; leave it out to validate nothing
                });
            #endregion
            Assert.Equal("1 o-1", receipt);
        }
    }

    [Fact]
    public async Task A_batch_tells_what_is_to_be_delivered_again()
    {
        await using var functions = Start();
        var executor = functions.Executor;
        var messages = new[] { new Message("""{"order_id":"o-1","n":1}"""), new Message("""{"n":2,"order_id":"o-1"}"""), new Message("""{"n":3}"""), new Message("""{"order_id":"o-2"}""") };
        #region docs: powertools-batch
        var results = await executor.ExecuteBatchAsync(
            "process-order",
            messages,
            message => IdempotentPayload.OfJson(Encoding.UTF8.GetBytes(message.Body)),
            (message, run, cancellation) => ProcessAsync(message, cancellation),
            new IdempotentBatchOptions<Message> { ForItem = _ => new IdempotentCallOptions { PolicyName = "orders" } });
        var toBeDeliveredAgain = results.Where(result => result.Exception is not null).Select(result => result.Item);
        #endregion
        Assert.Equal([messages[2]], toBeDeliveredAgain);
        Assert.Equal(2, _runs);
    }

    [Fact]
    public void The_table_can_stay()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        #region docs: powertools-table
        builder.Services.AddIdempotency().AddJmesPath().AddDynamoDBStore(options =>
        {
            options.TableName = "idempotency";
            options.SortKeyAttribute = "sort_key";
            options.StaticPartitionKey = "idempotency#payments";
        });
        #endregion
        var options = builder.Services.BuildServiceProvider().GetRequiredService<IOptions<DynamoDBIdempotencyStoreOptions>>().Value;
        Assert.Equal(("idempotency", "sort_key", "idempotency#payments"), (options.TableName, options.SortKeyAttribute, options.StaticPartitionKey));
        Assert.Equal(
            ("id", "expiration", "in_progress_expiration", "status", "data", "validation"),
            (options.KeyAttribute, options.ExpiryAttribute, options.InProgressExpiryAttribute, options.StatusAttribute, options.DataAttribute, options.ValidationAttribute));
        Assert.Null(new DynamoDBIdempotencyStoreOptions().SortKeyAttribute);
        Assert.Equal("idempotency", new DynamoDBIdempotencyStoreOptions().StaticPartitionKey);
    }

    [Fact]
    public void The_defaults_are_what_the_page_says()
    {
        var policy = new IdempotencyPolicy();
        var options = new IdempotencyOptions();
        Assert.Equal((RequestFingerprintMode.ExactJson, true, IdempotencyKeySource.Header, TimeSpan.FromHours(24)), (policy.Fingerprint, policy.KeyRequired, policy.KeySource, policy.Retention));
        Assert.Equal((TimeSpan.FromSeconds(60), AbandonedBehavior.TakeOver), (policy.ClaimDuration, policy.WhenAbandoned));
        Assert.Equal((10_000, 64 * 1024 * 1024), (options.LocalCacheMaxEntries, options.LocalCacheMaxBytes));
        Assert.False(IdempotencyPolicy.IsStoredByDefault(500));
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    private Task<string> ProcessAsync(PaidOrder order, CancellationToken cancellation) => Task.FromResult($"{Interlocked.Increment(ref _runs)} {order.Id}");

    private Task<string> ProcessAsync(Message message, CancellationToken cancellation) => Task.FromResult($"{Interlocked.Increment(ref _runs)} {message.Body}");

    private sealed record Payment([property: JsonPropertyName("user_id")] string UserId, [property: JsonPropertyName("product_id")] string ProductId, decimal Amount);

    private sealed record PaidOrder([property: JsonPropertyName("order_id")] string Id, decimal Amount);

    private sealed record Message(string Body);
}
