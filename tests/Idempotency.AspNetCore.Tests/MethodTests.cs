using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Which HTTP methods are protected.</summary>
public sealed class MethodTests
{
    [Fact]
    public async Task A_group_is_protected_but_not_what_only_reads()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app =>
        {
            var group = app.MapGroup("/g").WithIdempotency();
            group.MapGet("/", () => ++runs);
            group.MapPost("/", () => ++runs);
            group.MapMethods("/", ["OPTIONS", "HEAD", "TRACE"], () => "x");
        });
        foreach (var method in new[] { HttpMethod.Get, HttpMethod.Head, HttpMethod.Options, HttpMethod.Trace })
        {
            using var without = await api.SendAsync("/g", key: null, json: null, method: method);
            using var with = await api.SendAsync("/g", json: null, method: method);
            using var again = await api.SendAsync("/g", json: null, method: method);
            Assert.Equal(200, (int)without.StatusCode);
            Assert.False(again.IsReplay());
        }

        Assert.Equal(3, runs);
        Assert.Equal(0, api.Store.Calls("claim"));
        using var missing = await api.SendAsync("/g", key: null);
        using var first = await api.SendAsync("/g");
        using var replay = await api.SendAsync("/g");
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.True(replay.IsReplay());
        Assert.Equal(0, api.Logs.Count("WithoutEffect")); // through a group it is meant for the others
    }

    [Fact]
    public async Task So_are_controllers()
    {
        await using var api = await Api.StartAsync(app => app.MapControllers().WithIdempotency(), services: services => services.AddControllers().AddApplicationPart(typeof(MethodTests).Assembly));
        using var read = await api.SendAsync("/reading", key: null, json: null, method: HttpMethod.Get);
        using var missing = await api.SendAsync("/reading", key: null);
        Assert.Equal("read", await read.TextAsync());
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        var entry = Assert.Single(api.Logs.Entries, entry => entry.Event == "WithoutEffect");
        Assert.Contains("ReadMarked", entry.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("ReadPlain", entry.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_policy_can_list_its_methods()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app =>
        {
            app.MapMethods("/listed", ["GET", "POST", "PUT"], () => ++runs).WithIdempotency(new IdempotencyPolicy { Methods = ["get", "POST"] });
            app.MapGet("/attribute", [Idempotent(Methods = ["GET"])] () => ++runs);
        });
        foreach (var (path, method, isProtected) in new[] { ("/listed", "GET", true), ("/listed", "POST", true), ("/listed", "PUT", false), ("/attribute", "GET", true) })
        {
            using var first = await api.SendAsync(path, method: new HttpMethod(method), json: null);
            using var second = await api.SendAsync(path, method: new HttpMethod(method), json: null);
            Assert.Equal(isProtected, second.IsReplay());
        }

        Assert.Equal(0, api.Logs.Count("WithoutEffect"));
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    [InlineData("QUERY")]
    [InlineData("MINE")]
    public async Task Every_other_method_is_protected(string method)
    {
        await using var api = await Api.StartAsync(app => app.Map("/", () => "x").WithIdempotency());
        using var missing = await api.SendAsync(key: null, method: new HttpMethod(method));
        using var read = await api.SendAsync(key: null, json: null, method: HttpMethod.Get);
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Equal("x", await read.TextAsync());
    }

    [Fact]
    public async Task What_has_no_effect_is_told_at_start_up()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapGet("/call", () => "x").WithIdempotency().WithDisplayName("call");
            app.MapGet("/attribute", [Idempotent] () => "x").WithDisplayName("attribute");
            app.MapGet("/context", [Idempotent] (HttpContext context) => Task.CompletedTask).WithDisplayName("context");
            app.MapPost("/other", () => "x").WithIdempotency(new IdempotencyPolicy { Methods = ["PUT"] }).WithDisplayName("other");
            app.MapMethods("/both", ["GET", "POST"], () => "x").WithIdempotency().WithDisplayName("both");
            app.MapGet("/disabled", () => "x").WithIdempotency().DisableIdempotency().WithDisplayName("disabled");
            app.MapGroup("/g").WithIdempotency().MapGet("/", () => "x").WithDisplayName("group");
        });
        var entry = Assert.Single(api.Logs.Entries, entry => entry.Event == "WithoutEffect");
        Assert.Equal(LogLevel.Warning, entry.Level);
        Assert.EndsWith("Methods. call, attribute, context, other", entry.Text, StringComparison.Ordinal);
        using var open = await api.SendAsync("/call", key: null, json: null, method: HttpMethod.Get);
        Assert.Equal("x", await open.TextAsync());
    }

    [Fact]
    public async Task A_group_that_only_reads_needs_no_middleware()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddIdempotency();
        await using var app = builder.Build();
        app.MapGet("/", () => "x").WithIdempotency();
        await app.StartAsync(TestContext.Current.CancellationToken);
        Assert.Equal("x", await app.GetTestClient().GetStringAsync(new Uri("/", UriKind.Relative), TestContext.Current.CancellationToken));
    }
}

[Route("reading")]
public sealed class ReadingController : ControllerBase
{
    [HttpGet]
    public string ReadPlain() => "read";

    [HttpGet("marked")]
    [Idempotent]
    public string ReadMarked() => "read";

    [HttpPost]
    public string Write() => "written";
}
