using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Which statuses are recorded, and what a policy can change of it.</summary>
public sealed partial class RecordedStatusTests
{
    [Theory]
    [InlineData(206)]
    [InlineData(304)]
    [InlineData(412)]
    [InlineData(416)]
    public async Task The_answer_to_one_requests_range_or_precondition_is_never_recorded_whatever_the_policy_says(int status)
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => { runs++; return Results.StatusCode(status); }).WithIdempotency(new IdempotencyPolicy { ShouldStore = _ => true }));
        using var first = await api.SendAsync();
        using var second = await api.SendAsync();
        Assert.Equal(status, (int)second.StatusCode);
        Assert.False(second.IsReplay());
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task A_part_that_was_asked_for_with_Range_is_not_replayed_to_a_retry_that_wants_another()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", async (HttpContext context) =>
            {
                var range = context.Request.GetTypedHeaders().Range?.Ranges.Single();
                context.Response.StatusCode = range is null ? 200 : range.From < 10 ? 206 : 416;
                await context.Response.WriteAsync(range is null ? "0123456789" : range.From < 10 ? "0123456789"[(int)range.From..(int)(range.To! + 1)] : "");
            }).WithIdempotency(),
            kestrel: true);
        using var part = await api.SendAsync(with: request => request.Headers.Range = new(0, 3));
        using var beyond = await api.SendAsync(with: request => request.Headers.Range = new(20, 30));
        using var other = await api.SendAsync(with: request => request.Headers.Range = new(4, 5));
        using var whole = await api.SendAsync();
        Assert.Equal("0123", await part.TextAsync());
        Assert.Equal(416, (int)beyond.StatusCode);
        Assert.Equal("45", await other.TextAsync());
        Assert.Equal("0123456789", await whole.TextAsync());
    }

    [Fact]
    public async Task A_run_that_was_cancelled_and_answered_499_runs_again()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => ++runs == 1 ? Results.StatusCode(499) : Results.Ok(runs)).WithIdempotency());
        using var cancelled = await api.SendAsync();
        using var retry = await api.SendAsync();
        using var replay = await api.SendAsync();
        Assert.Equal(499, (int)cancelled.StatusCode);
        Assert.Equal("2", await retry.TextAsync());
        Assert.True(replay.IsReplay());
    }

    [Fact]
    public async Task A_policy_sees_the_body_and_frees_the_key_of_a_failure_that_looks_like_a_success()
    {
        var runs = 0;
        await using var api = await Api.StartAsync(app => app.MapPost("/graphql", () => ++runs == 1 ? """{"errors":[{"message":"busy"}]}""" : """{"data":{"paid":true}}""")
            .WithIdempotency(new IdempotencyPolicy { ShouldStore = response => response.IsStoredByDefault && !HasErrors(response.Body) }));
        using var failed = await api.SendAsync("/graphql");
        using var retry = await api.SendAsync("/graphql");
        using var replay = await api.SendAsync("/graphql");
        Assert.Contains("busy", await failed.TextAsync(), StringComparison.Ordinal);
        Assert.False(retry.IsReplay());
        Assert.True(replay.IsReplay());
        Assert.Equal("""{"data":{"paid":true}}""", await replay.TextAsync());

        static bool HasErrors(ReadOnlyMemory<byte> body) => JsonDocument.Parse(body).RootElement.TryGetProperty("errors", out _);
    }

    [Theory]
    [InlineData(100, "xxxxxxxxxx")]
    [InlineData(5, "")]
    public async Task A_policy_sees_no_body_of_a_response_that_streams(int limit, string expected)
    {
        var seen = new List<(string Body, int Status, string? Header)>();
        await using var api = await Api.StartAsync(app => app.MapPost("/", async (HttpContext context) =>
        {
            context.Response.StatusCode = 201;
            context.Response.OnStarting(() => { context.Response.Headers["X-Final"] = "yes"; return Task.CompletedTask; });
            await context.Response.WriteAsync(new string('x', 10));
        }).WithIdempotency(new IdempotencyPolicy
        {
            MaxResponseBodySize = limit,
            ShouldStore = response =>
            {
                seen.Add((Encoding.UTF8.GetString(response.Body.Span), response.StatusCode, response.HttpContext.Response.Headers["X-Final"]));
                return true;
            },
        }));
        using var first = await api.SendAsync();
        Assert.Equal("xxxxxxxxxx", await first.TextAsync());
        Assert.Equal([(expected, 201, "yes")], seen);
    }

    [Fact]
    public void The_page_and_the_XML_documentation_give_the_table_that_the_code_has()
    {
        var never = Enumerable.Range(100, 900).Where(status => !RecordedStatuses.MayBeRecorded(status) && status >= 200).ToArray();
        var notByDefault = Enumerable.Range(200, 300).Where(status => !IdempotencyPolicy.IsStoredByDefault(status)).Except(never).ToArray();
        Assert.All(Enumerable.Range(500, 500).Concat(Enumerable.Range(100, 100)), status => Assert.False(IdempotencyPolicy.IsStoredByDefault(status)));

        var page = File.ReadAllText(Path.Combine(Folder(), "..", "..", "docs", "concepts.md"));
        var documentation = XDocument.Load(Path.ChangeExtension(typeof(IdempotencyPolicy).Assembly.Location, ".xml")).Descendants("member");
        Assert.Equal(never, StatusesIn(Row(page, "never recorded")));
        Assert.Equal(notByDefault, StatusesIn(Row(page, "not recorded by default")));
        Assert.Equal([.. never, .. notByDefault], StatusesIn(documentation.Single(member => (string?)member.Attribute("name") == "M:Idempotency.AspNetCore.IdempotencyPolicy.IsStoredByDefault(System.Int32)").Element("summary")!.Value));
    }

    private static string Row(string page, string name) => page.Split('\n').Single(line => line.StartsWith($"| {name} |", StringComparison.Ordinal));

    private static int[] StatusesIn(string text) => [.. Status().Matches(text).Select(match => int.Parse(match.Value, System.Globalization.CultureInfo.InvariantCulture))];

    private static string Folder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    [GeneratedRegex(@"\b[1-5][0-9]{2}\b")]
    private static partial Regex Status();
}
