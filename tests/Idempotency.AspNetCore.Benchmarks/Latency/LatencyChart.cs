using System.Globalization;
using System.Net;
using System.Text;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The percentiles of each kind of request on a logarithmic scale, as an SVG picture that reads on light and dark pages like <see cref="Chart"/>.</summary>
internal static class LatencyChart
{
    private const int RowHeight = 24, Top = 64, Left = 260, Width = 460;
    private const double Least = 0.02;

    public static string Of(IReadOnlyList<LatencyGroup> groups)
    {
        var most = groups.SelectMany(group => group.Variants).Max(variant => variant.Median(sample => sample.Load.P999Milliseconds)) * 1.5;
        double X(double milliseconds) => Left + (Math.Log(Math.Max(Least, milliseconds) / Least) / Math.Log(most / Least) * Width);
        var height = Top + (groups.Sum(group => group.Variants.Count + 1) * RowHeight) + 10;
        var svg = new StringBuilder();
        svg.Append($"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Left + Width + 60} {height}" font-family="system-ui, sans-serif" font-size="13" role="img">
            <title>Latency of each kind of request at 30 % of the capacity: p50, p99 and p99.9</title>
            <style>
              .text {"{ fill: #24292f }"} .quiet {"{ fill: #57606a }"} .dot {"{ fill: #4c7bd9 }"} .ring {"{ fill: none; stroke: #4c7bd9; stroke-width: 2 }"}
              .line {"{ stroke: #4c7bd9; stroke-width: 2 }"} .grid {"{ stroke: #8c959f; stroke-dasharray: 3 3; opacity: 0.5 }"}
              @media (prefers-color-scheme: dark) {"{ .text { fill: #e6edf3 } .quiet { fill: #9198a1 } .dot { fill: #6f9bea } .ring, .line { stroke: #6f9bea } }"}
            </style>
            <text class="quiet" x="{Left}" y="18">milliseconds from the moment a request was due, logarithmic</text>
            <circle class="dot" cx="{Left + 6}" cy="32" r="5"/><text class="quiet" x="{Left + 16}" y="36">p50</text>
            <circle class="ring" cx="{Left + 66}" cy="32" r="4"/><text class="quiet" x="{Left + 76}" y="36">p99</text>
            <path class="line" d="M{Left + 126} 27 V37"/><text class="quiet" x="{Left + 136}" y="36">p99.9</text>

            """);
        foreach (var mark in ((double[])[0.1, 1, 10, 100]).Where(mark => mark < most))
        {
            svg.Append(CultureInfo.InvariantCulture, $"""<path class="grid" d="M{X(mark):F1} {Top - 6} V{height - 6}"/><text class="quiet" x="{X(mark):F1}" y="{Top - 10}" text-anchor="middle">{mark}</text>""").Append('\n');
        }

        var y = Top;
        foreach (var group in groups)
        {
            svg.Append($"""<text class="quiet" x="8" y="{y + 16}">{WebUtility.HtmlEncode(group.Store)}</text>""").Append('\n');
            y += RowHeight;
            foreach (var variant in group.Variants)
            {
                var at = LatencyGroup.Percentiles.Select(percentile => X(variant.Median(sample => percentile(sample.Load)))).ToList();
                svg.Append($"""<text class="text" x="{Left - 10}" y="{y + 14}" text-anchor="end">{WebUtility.HtmlEncode(variant.Name)}</text>""");
                var slowest = group.HasSlowestThousandth ? $" M{Math.Min(at[1] + 4, at[2]):F1} {y + 10} H{at[2]:F1} M{at[2]:F1} {y + 5} V{y + 15}" : "";
                svg.Append($"""<path class="line" d="M{at[0]:F1} {y + 10} H{Math.Max(at[0], at[1] - 4):F1}{slowest}"/>""");
                svg.Append($"""<circle class="dot" cx="{at[0]:F1}" cy="{y + 10}" r="5"/><circle class="ring" cx="{at[1]:F1}" cy="{y + 10}" r="4"/>""").Append('\n');
                y += RowHeight;
            }
        }

        return svg.Append("</svg>\n").ToString();
    }
}
