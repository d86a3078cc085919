using System.Reflection;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Where expressions are written, and what is wrong with them before the first request.</summary>
public sealed class SelectorSetupTests
{
    private const string Broken = "[transaction_id, ";

    /// <summary>The places where an expression can stand.</summary>
    public static TheoryData<string> Places => ["default", "named", "configuration", "attribute", "endpoint"];

    private static async Task<string> StartUpErrorAsync(string place, string expression, bool fingerprint, bool language)
    {
        var policy = fingerprint ? new IdempotencyPolicy { FingerprintSelector = expression } : new IdempotencyPolicy { KeySelector = expression };
        var failure = await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await using var api = await Api.StartAsync(
                app =>
                {
                    switch (place)
                    {
                        case "attribute" when fingerprint: app.MapPost("/", () => "x").WithMetadata(new IdempotentAttribute { FingerprintSelector = expression }); break;
                        case "attribute": app.MapPost("/", () => "x").WithMetadata(new IdempotentAttribute { KeySelector = expression }); break;
                        case "endpoint": app.MapPost("/", () => "x").WithIdempotency(policy); break;
                    }
                },
                options =>
                {
                    if (place == "default")
                    {
                        options.DefaultPolicy = policy;
                    }
                    else if (place == "named")
                    {
                        options.AddPolicy("named", policy);
                    }
                },
                services =>
                {
                    var idempotency = place == "configuration"
                        ? services.AddIdempotency(new ConfigurationBuilder().AddInMemoryCollection([new($"Policies:named:{(fingerprint ? "FingerprintSelector" : "keyselector")}", expression)]).Build())
                        : services.AddIdempotency();
                    if (language)
                    {
                        idempotency.AddJmesPath();
                    }
                });
        });
        Assert.True(failure is InvalidOperationException or OptionsValidationException, failure.ToString());
        Assert.Contains(place switch { "default" => "The default policy", "named" or "configuration" => "The policy 'named'", _ => "endpoint 'HTTP: POST /'" }, failure.Message, StringComparison.Ordinal);
        Assert.Contains($"sets {(fingerprint ? "FingerprintSelector" : "KeySelector")} to '{expression}'", failure.Message, StringComparison.Ordinal);
        return failure.Message;
    }

    [Theory]
    [MemberData(nameof(Places))]
    public async Task An_expression_that_is_not_valid_stops_the_start_with_its_position(string place)
    {
        foreach (var fingerprint in new[] { false, true })
        {
            var message = await StartUpErrorAsync(place, Broken, fingerprint, language: true);
            Assert.Contains("position 17", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Places))]
    public async Task Without_a_language_the_start_names_the_package_and_the_call(string place)
    {
        var message = await StartUpErrorAsync(place, "id", fingerprint: false, language: false);
        Assert.Contains("package Idempotency.AspNetCore.JmesPath", message, StringComparison.Ordinal);
        Assert.Contains("AddIdempotency().AddJmesPath()", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[user, transaction_id]", "'user'", "'transaction_id'")]
    [InlineData("powertools_json(body).id || id", "'body'", "'id'")]
    [InlineData("[headers.\"x-id\", \"user-id\"]", "'headers'", "'user-id'")]
    public async Task Names_of_the_envelope_beside_others_stop_the_start_with_the_fix(string expression, string member, string stranger)
    {
        var message = await StartUpErrorAsync("endpoint", expression, fingerprint: false, language: true);
        Assert.Contains($"Write 'body.' before {stranger}", message, StringComparison.Ordinal);
        Assert.Contains(member, message, StringComparison.Ordinal);
        Assert.Contains("body, headers, method, path, query, route, user", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'constant'")]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("unknown(id)")]
    public async Task Whatever_could_never_be_a_key_stops_the_start(string expression) =>
        await StartUpErrorAsync("endpoint", expression, fingerprint: false, language: true);

    [Fact]
    public async Task A_host_without_HTTP_does_not_start_either()
    {
        foreach (var (expression, language, expected) in new[] { (Broken, true, "position 17"), ("id", false, "AddJmesPath()") })
        {
            var builder = Host.CreateEmptyApplicationBuilder(null);
            var idempotency = builder.Services.AddIdempotency(options => options.AddPolicy("payouts", new IdempotencyPolicy { KeySelector = expression }));
            if (language)
            {
                idempotency.AddJmesPath();
            }

            using var host = builder.Build();
            var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));
            Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_the_attribute_says_counts_more_and_the_rest_of_the_policy_stays()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/both", [Idempotent("payments", KeySelector = "id", FingerprintSelector = "amount")] () => $"{++runs}");
                app.MapPost("/key", [Idempotent("payments", KeySelector = "id")] () => $"{++runs}");
                app.MapPost("/content", [Idempotent("payments", FingerprintSelector = "amount")] () => $"{++runs}");
                app.MapPost("/neither", [Idempotent("payments")] () => $"{++runs}");
                app.MapPost("/default", [Idempotent(KeySelector = "id")] () => $"{++runs}");
            },
            options => options.AddPolicy("payments", new IdempotencyPolicy { KeySelector = "number", FingerprintSelector = "currency", KeyRequired = false, ReplayFlagName = null, ClientCaching = true }),
            services => services.AddIdempotency().AddJmesPath());

        await AssertAsync("/both", """{"id":1,"amount":5}""", """{"id":1,"amount":5,"number":2,"currency":"X"}""", """{"id":1,"amount":6}""");
        await AssertAsync("/key", """{"id":1,"currency":"X"}""", """{"id":1,"currency":"X","number":2}""", """{"id":1,"currency":"Y"}""");
        await AssertAsync("/content", """{"number":1,"amount":5}""", """{"number":1,"amount":5,"currency":"X"}""", """{"number":1,"amount":6}""");
        await AssertAsync("/neither", """{"number":1,"currency":"X"}""", """{"number":1,"currency":"X","id":5}""", """{"number":1,"currency":"Y"}""");
        using var unprotected = await api.PostAsync("{}", "/both"); // the policy requires no key
        Assert.Equal(200, (int)unprotected.StatusCode);
        using var refused = await api.PostAsync("{}", "/default");
        await refused.AssertProblemAsync(400, "idempotency-key-missing", "new-key");

        async Task AssertAsync(string path, string first, string same, string other)
        {
            using var response = await api.PostAsync(first, path);
            using var replay = await api.PostAsync(same, path);
            using var reused = await api.PostAsync(other, path);
            Assert.False(response.IsReplay(), path);
            Assert.True(replay.IsReplay(), path);
            Assert.Equal("max-age=86400, private", replay.Header("Cache-Control"));
            await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        }
    }

    [Fact]
    public async Task A_key_can_be_chosen_for_one_endpoint_in_a_line()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/payments", Pay).WithIdempotency(new IdempotencyPolicy
                {
                    KeySelector = "[transaction_id, user_id]",   // the key: the SHA-256 of what is selected
                    FingerprintSelector = "{amount: amount, to: to}", // a retry may differ in anything else
                });

                app.MapPost("/refunds", [Idempotent(KeySelector = "headers.\"x-refund-id\"")] () => "refunded");
            },
            services: services => services.AddIdempotency().AddJmesPath());
        using var first = await api.PostAsync("""{"transaction_id":1,"user_id":2,"amount":3,"to":"x","sent":1}""", "/payments");
        using var again = await api.PostAsync("""{"transaction_id":1,"user_id":2,"amount":3,"to":"x","sent":2}""", "/payments");
        using var reused = await api.PostAsync("""{"transaction_id":1,"user_id":2,"amount":4,"to":"x"}""", "/payments");
        using var refund = await api.PostAsync("{}", "/refunds", with: request => request.Headers.Add("X-Refund-Id", "r-1"));
        using var refundAgain = await api.PostAsync("{}", "/refunds", with: request => request.Headers.Add("X-Refund-Id", "r-1"));
        Assert.True(again.IsReplay());
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
        Assert.False(refund.IsReplay());
        Assert.True(refundAgain.IsReplay());

        static string Pay() => "paid";
    }

    [Fact]
    public async Task An_action_of_a_controller_can_say_it_too()
    {
        await using var api = await Api.StartAsync(
            app => app.MapControllers(),
            services: services =>
            {
                services.AddControllers().ConfigureApplicationPartManager(parts =>
                {
                    parts.ApplicationParts.Clear();
                    parts.FeatureProviders.Add(new OnlyThisController());
                });
                services.AddIdempotency().AddJmesPath();
            });
        using var first = await api.PostAsync("""{"id":1,"sent":1}""", "/selecting");
        using var again = await api.PostAsync("""{"id":1,"sent":2}""", "/selecting");
        Assert.Equal(Selecting.KeyOf("1"), await first.TextAsync());
        Assert.True(again.IsReplay());
    }

    [Fact]
    public void Expressions_bind_from_configuration_and_an_empty_one_is_none()
    {
        var services = new ServiceCollection();
        services.AddIdempotency(new ConfigurationBuilder().AddJsonStream(new MemoryStream("""
            { "DefaultPolicy": { "KeySelector": "id", "FingerprintSelector": "amount" }, "Policies": { "a": { "KeySelector": "" }, "b": { "FingerprintSelector": null, "KeySelector": "user.sub" } } }
            """u8.ToArray())).Build()).AddJmesPath();
        var options = services.BuildServiceProvider().GetRequiredService<IOptions<IdempotencyOptions>>().Value;
        Assert.Equal(("id", "amount"), (options.DefaultPolicy.KeySelector, options.DefaultPolicy.FingerprintSelector));
        Assert.Equal((null, "amount"), (options.Policies["a"].KeySelector, options.Policies["a"].FingerprintSelector));
        Assert.Equal(("user.sub", null), (options.Policies["b"].KeySelector, options.Policies["b"].FingerprintSelector));
    }

    [Fact]
    public async Task Nothing_is_selected_where_idempotency_is_switched_off()
    {
        await using var api = await Selecting.StartAsync(new IdempotencyPolicy { KeySelector = "join('-', id)" }, options: options => options.Enabled = false);
        using var response = await api.PostAsync("""{"id":1}""");
        Assert.Equal(200, (int)response.StatusCode);
    }

    /// <summary>A controller whose key is selected. Not public: applications of other tests, which have no language, would find it.</summary>
    [ApiController]
    [Route("selecting")]
    internal sealed class SelectingController : ControllerBase
    {
        [HttpPost]
        [Idempotent("exact", KeySelector = "id", FingerprintSelector = "id")]
        public string Post() => HttpContext.Features.Get<IIdempotencyFeature>()!.Key;
    }

    private sealed class OnlyThisController : IApplicationFeatureProvider<ControllerFeature>
    {
        public void PopulateFeature(IEnumerable<ApplicationPart> parts, ControllerFeature feature) => feature.Controllers.Add(typeof(SelectingController).GetTypeInfo());
    }
}
