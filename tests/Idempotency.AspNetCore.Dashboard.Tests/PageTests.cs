using System.Net;
using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.Dashboard.Tests;

/// <summary>Who gets the page, with which headers, and where it works.</summary>
public sealed partial class PageTests
{
    private static readonly string[] Paths = ["/idempotency", "/idempotency/", "/idempotency/dashboard.css", "/idempotency/dashboard.js", "/idempotency/favicon.svg", "/idempotency/numbers", "/idempotency/numbers/live", "/idempotency/attention"];
    private static readonly string[] PostPaths = ["/idempotency/look-up", "/idempotency/forget"];

    [Theory]
    [InlineData("/idempotency/", "text/html; charset=utf-8")]
    [InlineData("/idempotency/dashboard.css", "text/css; charset=utf-8")]
    [InlineData("/idempotency/dashboard.js", "text/javascript; charset=utf-8")]
    [InlineData("/idempotency/favicon.svg", "image/svg+xml")]
    [InlineData("/idempotency/numbers", "application/json")]
    [InlineData("/idempotency/attention", "application/json")]
    public async Task Everything_is_served_with_strict_headers(string path, string contentType)
    {
        await using var site = await Site.StartAsync();
        using var response = await site.AskAsync(path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(contentType, response.Content.Headers.ContentType?.ToString());
        Assert.NotEmpty(await response.Content.ReadAsByteArrayAsync());
        AssertStrict(response);
    }

    [Fact]
    public async Task Refusals_of_the_page_itself_have_them_too()
    {
        await using var site = await Site.StartAsync();
        using var response = await site.AskAsync("/idempotency/forget", json: "gibberish");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        AssertStrict(response);
    }

    [Fact]
    public async Task The_page_has_no_inline_script_or_style_and_no_address_outside_of_its_folder()
    {
        await using var site = await Site.StartAsync();
        var html = await (await site.AskAsync("/idempotency/")).Content.ReadAsStringAsync();
        Assert.DoesNotMatch(@"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html);
        Assert.All(Address().Matches(html), match => Assert.DoesNotMatch("^(/|[a-z]+:)", match.Groups[1].Value));
        var script = await (await site.AskAsync("/idempotency/dashboard.js")).Content.ReadAsStringAsync();
        Assert.DoesNotMatch(@"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script);
        Assert.All(Absolute().Matches(script), match => Assert.Equal("http://www.w3.org/2000/svg", match.Value)); // a namespace
        var style = await (await site.AskAsync("/idempotency/dashboard.css")).Content.ReadAsStringAsync();
        Assert.DoesNotMatch(@"url\(|@import", style);
    }

    [Theory]
    [InlineData("/idempotency", "./idempotency/")]
    [InlineData("/base/idempotency", "./idempotency/")]
    [InlineData("/base/odd%20%C3%A9:name", "./odd%20%C3%A9:name/")]
    public async Task Without_a_slash_at_its_end_the_address_leads_to_the_folder_by_a_relative_redirect(string path, string location)
    {
        await using var site = await Site.StartAsync(
            outer: static app => app.UsePathBase("/base"),
            dashboard: static app =>
            {
                app.MapIdempotencyDashboard("operators");
                app.MapIdempotencyDashboard("operators", "/odd é:name");
            });
        using var response = await site.AskAsync(path);
        Assert.Equal(HttpStatusCode.Found, response.StatusCode);
        Assert.Equal(location, response.Headers.Location?.OriginalString);
        using var page = await site.AskAsync(new Uri(new Uri("http://localhost" + path), location).PathAndQuery);
        Assert.Equal("text/html; charset=utf-8", page.Content.Headers.ContentType?.ToString());
    }

    [Fact]
    public async Task It_can_be_the_whole_site()
    {
        await using var site = await Site.StartAsync(dashboard: static app => app.MapIdempotencyDashboard("operators", "/"));
        using var page = await site.AskAsync("/");
        Assert.Equal("text/html; charset=utf-8", page.Content.Headers.ContentType?.ToString());
        using var script = await site.AskAsync("/dashboard.js");
        Assert.Equal(HttpStatusCode.OK, script.StatusCode);
    }

    [Theory]
    [InlineData(null, HttpStatusCode.Unauthorized)]
    [InlineData("ann", HttpStatusCode.Forbidden)]
    public async Task Nobody_else_gets_anything(string? user, HttpStatusCode status)
    {
        await using var site = await Site.StartAsync(static app => app.MapPost("/pay", static () => "x").WithIdempotency());
        await site.PayAsync();
        foreach (var path in Paths.Concat(PostPaths))
        {
            using var response = await site.AskAsync(path, user, json: PostPaths.Contains(path) ? $$"""{"storeKey":"{{site.Store.LastKey}}"}""" : null);
            Assert.True(response.StatusCode == status, $"{path}: {response.StatusCode}");
            Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        }

        Assert.NotNull(await site.Records.FindAsync(site.Store.LastKey));
    }

    [Fact]
    public async Task What_a_group_around_it_allows_or_protects_does_not_change_it()
    {
        await using var site = await Site.StartAsync(dashboard: static app => app.MapGroup("/internal").AllowAnonymous().WithIdempotency().MapIdempotencyDashboard("operators"));
        using var anonymous = await site.AskAsync("/internal/idempotency/", user: null);
        Assert.Equal(HttpStatusCode.Unauthorized, anonymous.StatusCode);
        using var lookUp = await site.AskAsync("/internal/idempotency/look-up", json: $$"""{"storeKey":"{{new string('0', 64)}}"}""");
        Assert.Equal(HttpStatusCode.OK, lookUp.StatusCode); // it needs no key
    }

    [Fact]
    public async Task It_shares_its_prefix_with_the_admin_endpoints_and_can_be_mapped_twice()
    {
        await using var site = await Site.StartAsync(
            static app => app.MapPost("/pay", static () => "x").WithIdempotency(),
            dashboard: static app =>
            {
                app.MapIdempotencyAdmin("operators");
                app.MapIdempotencyDashboard("operators");
                app.MapIdempotencyDashboard("operators", "/second");
            });
        await site.PayAsync();
        foreach (var path in Paths.Where(static path => !path.EndsWith("live", StringComparison.Ordinal)).SelectMany(static path => new[] { path, path.Replace("/idempotency", "/second", StringComparison.Ordinal) }).Append($"/idempotency/records/{site.Store.LastKey}").Append("/idempotency/running"))
        {
            using var response = await site.AskAsync(path);
            Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.Found, $"{path}: {response.StatusCode}");
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("  ")]
    public async Task Without_a_policy_it_does_not_start_and_says_what_to_pass(string? policy)
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(() => Site.StartAsync(dashboard: app => app.MapIdempotencyDashboard(policy!)));
        Assert.Contains("app.MapIdempotencyDashboard(\"operators\")", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_an_unknown_policy_it_does_not_start_and_says_how_to_add_it()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Site.StartAsync(dashboard: static app => app.MapIdempotencyDashboard("operatrs")));
        Assert.Contains("'operatrs', which is not registered. Add it with builder.Services.AddAuthorization(options => options.AddPolicy(\"operatrs\"", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_its_services_it_says_which_call_is_missing()
    {
        await using var bare = WebApplication.CreateBuilder().Build();
        Assert.Contains("AddIdempotency()", Assert.Throws<InvalidOperationException>(() => bare.MapIdempotencyDashboard("operators")).Message, StringComparison.Ordinal);
        var builder = WebApplication.CreateBuilder();
        builder.Services.AddIdempotency();
        await using var open = builder.Build();
        Assert.Contains("AddAuthorization(", Assert.Throws<InvalidOperationException>(() => open.MapIdempotencyDashboard("operators")).Message, StringComparison.Ordinal);
    }

    private static void AssertStrict(HttpResponseMessage response)
    {
        string Header(string name) => string.Join(", ", response.Headers.GetValues(name));
        Assert.Equal("no-store", Header("Cache-Control"));
        Assert.Equal("nosniff", Header("X-Content-Type-Options"));
        Assert.Equal("DENY", Header("X-Frame-Options"));
        Assert.Equal("no-referrer", Header("Referrer-Policy"));
        var policy = Header("Content-Security-Policy");
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("script-src 'self'", policy, StringComparison.Ordinal);
        Assert.Contains("style-src 'self'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"\s(?:href|src|action)=""([^""]*)""")]
    private static partial Regex Address();

    [GeneratedRegex(@"https?://[^'""\s]+")]
    private static partial Regex Absolute();
}
