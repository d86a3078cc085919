using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The figures of docs/capacity.md that the code decides.</summary>
public sealed class CapacityPageTests
{
    public static TheoryData<int, int> PayloadRows() =>
        [.. Rows("| body of the response | recorded payload |").Select(cells => (Number(cells[0]), Number(cells[1])))];

    [Theory]
    [MemberData(nameof(PayloadRows))]
    public async Task A_recorded_response_has_the_size_that_the_page_says(int body, int payload)
    {
        var builder = Applications.NewBuilder();
        builder.Services.AddIdempotency(options => options.DefaultPolicy = options.DefaultPolicy with { EmitETag = true });
        await using var app = builder.Build();
        using var sizes = new MetricCollector<long>(app.Services.GetRequiredService<IMeterFactory>(), "Idempotency.AspNetCore", "idempotency.payload.size");
        app.UseIdempotency();
        app.MapPost("/", () => Results.Text('"' + new string('x', body - 2) + '"', "application/json; charset=utf-8")).WithIdempotency();
        using var client = await app.StartedAsync();
        using var response = await client.PostAsync("/", "k", "{}");
        Assert.Equal(body, (await response.TextAsync()).Length);
        Assert.Equal(payload, Assert.Single(sizes.GetMeasurementSnapshot()).Value);
        Assert.Contains("payload = 44 + body + Σ over headers (3 + name + value)", Repository.Read("docs/capacity.md"), StringComparison.Ordinal);
        Assert.Equal(payload, 44 + body + (3 + "Content-Type".Length + "application/json; charset=utf-8".Length) + (body >= 128 ? 1 : 0));
    }

    [Fact]
    public void The_tables_of_records_follow_from_their_formulas()
    {
        foreach (var (header, overhead) in new[] { ("| in memory | records per GiB |", 350), ("| Redis | records per GiB |", 270), ("| DynamoDB | records per GB |", 310), ("| PostgreSQL | records per GB |", 460) })
        {
            var unit = header.Contains("GiB", StringComparison.Ordinal) ? 1L << 30 : 1_000_000_000;
            Assert.All(Rows(header), cells => Assert.InRange(Number(cells[1]), 0.97 * unit / (overhead + Number(cells[0])), 1.03 * unit / (overhead + Number(cells[0]))));
        }
    }

    private static List<string[]> Rows(string header)
    {
        var rows = Repository.Read("docs/capacity.md").Split('\n').SkipWhile(line => !line.StartsWith(header, StringComparison.Ordinal)).Skip(2).TakeWhile(line => line.StartsWith('|')).Select(Markdown.Cells).ToList();
        Assert.NotEmpty(rows);
        return rows;
    }

    private static int Number(string cell) => int.Parse(cell.Split(' ')[0], NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
}
