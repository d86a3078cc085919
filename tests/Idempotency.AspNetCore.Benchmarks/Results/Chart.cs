using System.Net;
using System.Text;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A bar for each throughput ratio, with its quartiles, as an SVG picture that reads on light and dark pages: no background, and colours that follow the reader's.</summary>
internal static class Chart
{
    private const int RowHeight = 26, Top = 48, Left = 260, Width = 420;

    public static string Of(IReadOnlyList<Variant> variants)
    {
        var groups = variants.GroupBy(variant => variant.Baseline!.Name).ToList();
        var most = Math.Max(1.2, variants.Max(variant => variant.Throughput.Upper) * 1.05);
        double X(double ratio) => Left + (ratio / most * Width);
        var height = Top + ((variants.Count + groups.Count) * RowHeight) + 14;
        var svg = new StringBuilder();
        svg.Append($"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Left + Width + 60} {height}" font-family="system-ui, sans-serif" font-size="13" role="img">
            <title>Throughput of each variant as a ratio to its baseline</title>
            <style>
              .text {"{ fill: #24292f }"} .quiet {"{ fill: #57606a }"} .bar {"{ fill: #4c7bd9 }"} .spread {"{ stroke: #24292f; stroke-width: 1.5 }"} .one {"{ stroke: #8c959f; stroke-dasharray: 3 3 }"}
              @media (prefers-color-scheme: dark) {"{ .text { fill: #e6edf3 } .quiet { fill: #9198a1 } .bar { fill: #3f6fc9 } .spread { stroke: #e6edf3 } }"}
            </style>
            <text class="quiet" x="{Left}" y="18">requests a second, as a ratio to the baseline: median and quartiles</text>

            """);
        var y = Top - 16;
        foreach (var group in groups)
        {
            svg.Append($"""<text class="quiet" x="8" y="{y + 16}">to {WebUtility.HtmlEncode(group.Key)}</text>""").Append('\n');
            y += RowHeight;
            foreach (var variant in group)
            {
                var ratio = variant.Throughput;
                svg.Append($"""<text class="text" x="{Left - 10}" y="{y + 14}" text-anchor="end">{WebUtility.HtmlEncode(variant.Name)}</text>""");
                svg.Append($"""<rect class="bar" x="{Left}" y="{y + 2}" width="{X(ratio.Median) - Left:F1}" height="16" rx="2"/>""");
                svg.Append($"""<path class="spread" d="M{X(ratio.Lower):F1} {y + 10} H{X(ratio.Upper):F1}"/>""");
                svg.Append($"""<text class="text" x="{X(ratio.Upper) + 6:F1}" y="{y + 14}">{ratio.Median:F2}</text>""").Append('\n');
                y += RowHeight;
            }
        }

        return svg.Append($"""<path class="one" d="M{X(1):F1} 26 V{height - 8}"/>""").Append("\n</svg>\n").ToString();
    }
}
