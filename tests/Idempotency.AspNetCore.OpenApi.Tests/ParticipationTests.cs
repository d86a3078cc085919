using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>Exactly the endpoints that take part are documented so, by the policy that is in force.</summary>
public sealed class ParticipationTests
{
    private static void AddControllers(IServiceCollection services) => services.AddControllers();

    [Fact]
    public async Task A_minimal_API_by_call_and_by_attribute()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapPost("/call", (Payment payment) => payment).WithIdempotency();
            app.MapPost("/attribute", [Idempotent] (Payment payment) => payment);
        });
        Assert.True((await api.OperationAsync("/call")).TakesPart());
        Assert.True((await api.OperationAsync("/attribute")).TakesPart());
    }

    [Fact]
    public async Task A_group_and_what_stands_nearer_to_the_endpoint()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                var outer = app.MapGroup("/outer").WithIdempotency();
                outer.MapPost("/plain", (Payment payment) => payment);
                outer.MapPost("/disabled", (Payment payment) => payment).DisableIdempotency();
                var inner = outer.MapGroup("/inner").WithIdempotency("tenant");
                inner.MapPost("/plain", (Payment payment) => payment);
                inner.MapPost("/own", (Payment payment) => payment).WithIdempotency(new IdempotencyPolicy { HeaderName = "X-Own" });
            },
            options => options.AddPolicy("tenant", new IdempotencyPolicy { HeaderName = "X-Tenant-Key" }));
        Assert.NotNull((await api.OperationAsync("/outer/plain")).KeyParameter());
        Assert.NotNull((await api.OperationAsync("/outer/inner/plain")).KeyParameter("X-Tenant-Key"));
        Assert.Null((await api.OperationAsync("/outer/inner/plain")).KeyParameter());
        Assert.NotNull((await api.OperationAsync("/outer/inner/own")).KeyParameter("X-Own"));
        Assert.Equal(["200"], (await api.OperationAsync("/outer/disabled")).Statuses());
    }

    [Fact]
    public async Task A_controller_by_attribute()
    {
        await using var api = await Api.StartAsync(app => app.MapControllers(), options => options.AddPolicy("tenant", new IdempotencyPolicy { HeaderName = "X-Tenant-Key" }), AddControllers);
        Assert.True((await api.OperationAsync("/by-class/plain")).TakesPart());
        Assert.NotNull((await api.OperationAsync("/by-class/named")).KeyParameter("X-Tenant-Key"));
        Assert.Equal(["200"], (await api.OperationAsync("/by-class/disabled")).Statuses());
        Assert.True((await api.OperationAsync("/by-action/plain")).TakesPart());
        Assert.Equal(["200"], (await api.OperationAsync("/by-action/unprotected")).Statuses());
    }

    [Fact]
    public async Task A_controller_by_the_convention_of_its_mapping_which_comes_after_its_attributes()
    {
        await using var api = await Api.StartAsync(
            app => app.MapControllers().WithIdempotency(new IdempotencyPolicy { HeaderName = "X-Convention" }),
            options => options.AddPolicy("tenant", new IdempotencyPolicy()),
            AddControllers);
        Assert.NotNull((await api.OperationAsync("/by-action/unprotected")).KeyParameter("X-Convention"));
        Assert.NotNull((await api.OperationAsync("/by-class/named")).KeyParameter("X-Convention"));
        Assert.Equal(["200"], (await api.OperationAsync("/by-class/disabled")).Statuses());
    }

    [Fact]
    public async Task Controllers_in_a_group()
    {
        await using var api = await Api.StartAsync(app => app.MapGroup("/v1").WithIdempotency().MapControllers(), options => options.AddPolicy("tenant", new IdempotencyPolicy()), AddControllers);
        Assert.True((await api.OperationAsync("/by-action/unprotected")).TakesPart()); // the framework leaves the group's prefix out of actions' paths
        Assert.Equal(["200"], (await api.OperationAsync("/by-class/disabled")).Statuses());
    }

    [Fact]
    public async Task Controllers_taken_out_by_the_convention_of_their_mapping()
    {
        await using var api = await Api.StartAsync(app => app.MapControllers().DisableIdempotency(), options => options.AddPolicy("tenant", new IdempotencyPolicy()), AddControllers);
        Assert.Equal(["200"], (await api.OperationAsync("/by-class/plain")).Statuses());
        Assert.Equal(["200"], (await api.OperationAsync("/by-action/plain")).Statuses());
    }

    [Fact]
    public async Task The_default_policy_is_the_one_of_the_options()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency(),
            options => options.DefaultPolicy = new IdempotencyPolicy { HeaderName = "X-Default" });
        Assert.NotNull((await api.OperationAsync("/payments")).KeyParameter("X-Default"));
    }

    [Fact]
    public async Task What_does_not_take_part_is_documented_as_without_the_package()
    {
        static void Map(WebApplication app)
        {
            app.MapControllers();
            app.MapPost("/protected", (Payment payment) => payment).WithIdempotency();
            app.MapPost("/unprotected", (Payment payment, [FromHeader(Name = "Idempotency-Key")] string? key) => payment).ProducesProblem(409).WithDescription("Own.");
            app.MapPost("/disabled", (Payment payment) => payment).WithIdempotency().DisableIdempotency();
            app.MapGet("/unprotected", () => new Payment(1));
        }

        static void Options(IdempotencyOptions options) => options.AddPolicy("tenant", new IdempotencyPolicy());
        await using var with = await Api.StartAsync(Map, Options, AddControllers);
        await using var without = await Api.StartAsync(Map, Options, AddControllers, document: _ => { });
        var expected = await without.DocumentAsync();
        var actual = await with.DocumentAsync();
        foreach (var (path, method) in new[] { ("/unprotected", "post"), ("/unprotected", "get"), ("/disabled", "post"), ("/by-class/disabled", "post"), ("/by-action/unprotected", "post") })
        {
            Assert.Equal(expected["paths"]![path]![method]!.ToJsonString(), actual["paths"]![path]![method]!.ToJsonString());
        }

        Assert.NotEqual(expected["paths"]!["/protected"]!.ToJsonString(), actual["paths"]!["/protected"]!.ToJsonString());
        foreach (var (name, schema) in expected["components"]!["schemas"]!.AsObject())
        {
            Assert.Equal(schema!.ToJsonString(), actual["components"]!["schemas"]![name]!.ToJsonString());
        }
    }

    [Fact]
    public async Task A_method_that_is_not_protected_is_documented_as_without_the_package()
    {
        static void Map(WebApplication app)
        {
            var group = app.MapGroup("/payments").WithIdempotency();
            group.MapGet("/", () => new Payment(1));
            group.MapPost("/", (Payment payment) => payment);
            app.MapGet("/listed", () => new Payment(1)).WithIdempotency(new IdempotencyPolicy { Methods = ["GET"] });
            app.MapPut("/unlisted", (Payment payment) => payment).WithIdempotency(new IdempotencyPolicy { Methods = ["POST"] });
        }

        await using var with = await Api.StartAsync(Map);
        await using var without = await Api.StartAsync(Map, document: _ => { });
        var expected = await without.DocumentAsync();
        var actual = await with.DocumentAsync();
        foreach (var (path, method) in new[] { ("/payments", "get"), ("/unlisted", "put") })
        {
            Assert.Equal(expected["paths"]![path]![method]!.ToJsonString(), actual["paths"]![path]![method]!.ToJsonString());
        }

        Assert.NotNull((await with.OperationAsync("/payments")).KeyParameter());
        Assert.Contains("Idempotency-Key", actual["paths"]!["/listed"]!["get"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_of_the_fingerprint_are_told()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency(
            new IdempotencyPolicy { FingerprintHeaders = ["X-Api-Version", "X-Tenant"], Fingerprint = RequestFingerprintMode.None, ClientCaching = true }));
        var operation = await api.OperationAsync("/payments");
        Assert.Contains("the same `X-Api-Version`, `X-Tenant` as the first request", operation.KeyParameter()!["description"]!.ToString(), StringComparison.Ordinal);
        Assert.NotNull(operation["responses"]!["422"]);
        Assert.Equal("Idempotency-Key, X-Api-Version, X-Tenant", operation["responses"]!["200"]!["headers"]!["Vary"]!["example"]!.ToString());
    }

    [Fact]
    public async Task Switched_off_the_document_is_the_one_without_the_package()
    {
        static void Map(WebApplication app) => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency();
        static void Options(IdempotencyOptions options) => options.Enabled = false;
        await using var with = await Api.StartAsync(Map, Options);
        await using var without = await Api.StartAsync(Map, Options, document: _ => { });
        Assert.Equal(await without.TextAsync(), await with.TextAsync());
    }

    [Fact]
    public async Task Each_document_is_asked_for_by_its_own_options()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/one", (Payment payment) => payment).WithIdempotency().WithGroupName("v1");
                app.MapPost("/two", (Payment payment) => payment).WithIdempotency().WithGroupName("v2");
                app.MapPost("/internal", (Payment payment) => payment).WithIdempotency().WithGroupName("internal");
            },
            services: services =>
            {
                services.AddOpenApi("v2", options => options.AddIdempotency());
                services.AddOpenApi("internal");
            });
        Assert.True((await api.OperationAsync("/one")).TakesPart());
        Assert.True((await api.OperationAsync("/two", document: "v2")).TakesPart());
        Assert.NotNull((await api.DocumentAsync("v2"))["components"]!["schemas"]!["IdempotencyProblem"]);
        Assert.Equal(["200"], (await api.OperationAsync("/internal", document: "internal")).Statuses());
    }

    [Fact]
    public async Task Without_its_services_the_document_names_the_fix()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddOpenApi(options => options.AddIdempotency());
        await using var app = builder.Build();
        app.MapPost("/payments", (Payment payment) => payment);
        app.MapOpenApi();
        await app.StartAsync(TestContext.Current.CancellationToken);
        using var client = app.GetTestClient();
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => client.GetAsync("/openapi/v1.json", TestContext.Current.CancellationToken));
        Assert.Contains("builder.Services.AddIdempotency()", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Added_twice_is_documented_once()
    {
        static void Map(WebApplication app) => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency();
        await using var once = await Api.StartAsync(Map);
        await using var twice = await Api.StartAsync(Map, document: options => options.AddIdempotency().AddIdempotency());
        Assert.Equal(await once.TextAsync(), await twice.TextAsync());
    }

    [Fact]
    public async Task A_later_transformer_has_the_last_word()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency(),
            document: options => options.AddIdempotency().AddOperationTransformer((operation, _, _) =>
            {
                operation.Responses!.Remove("413");
                return Task.CompletedTask;
            }));
        Assert.DoesNotContain("413", (await api.OperationAsync("/payments")).Statuses());
    }
}

[ApiController]
[Route("by-class")]
[Idempotent]
public sealed class ByClassController : ControllerBase
{
    [HttpPost("plain")]
    public int Plain() => 1;

    [HttpPost("named")]
    [Idempotent("tenant")]
    public int Named() => 1;

    [HttpPost("disabled")]
    [DisableIdempotency]
    public int Disabled() => 1;
}

[ApiController]
[Route("by-action")]
public sealed class ByActionController : ControllerBase
{
    [HttpPost("plain")]
    [Idempotent]
    public int Plain() => 1;

    [HttpPost("unprotected")]
    public int Unprotected() => 1;
}
