using System.Globalization;
using System.Net;
using System.Text;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A bar for each ratio, with its spread, as an SVG picture that reads on light and dark pages.</summary>
internal static class Chart
{
    public static string Of(IReadOnlyList<(string Name, List<double> Ratios)> rows)
    {
        const int RowHeight = 26, Left = 380, Width = 420;
        var most = Math.Max(1.2, rows.Max(row => row.Ratios.Max()) * 1.05);
        double X(double ratio) => Left + (ratio / most * Width);
        var svg = new StringBuilder();
        var height = (rows.Count * RowHeight) + 50;
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Left + Width + 80} {height}" font-family="system-ui, sans-serif" font-size="13">""");
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<rect width="100%" height="100%" fill="#ffffff"/><text x="{Left}" y="20" fill="#444">requests a second, as a ratio to the baseline (median and spread over the rounds)</text>""");
        for (var i = 0; i < rows.Count; i++)
        {
            var (name, ratios) = rows[i];
            var sorted = ratios.Order().ToList();
            var median = sorted[sorted.Count / 2];
            var y = 36 + (i * RowHeight);
            svg.AppendLine(CultureInfo.InvariantCulture, $"""<text x="{Left - 10}" y="{y + 14}" text-anchor="end" fill="#222">{WebUtility.HtmlEncode(name)}</text><rect x="{Left}" y="{y + 2}" width="{X(median) - Left:F1}" height="16" rx="2" fill="#2f54c7"/>""");
            svg.AppendLine(CultureInfo.InvariantCulture, $"""<path d="M{X(sorted[0]):F1} {y + 10} H{X(sorted[^1]):F1}" stroke="#111" stroke-width="1.5"/><text x="{X(sorted[^1]) + 6:F1}" y="{y + 14}" fill="#222">{median:F2}</text>""");
        }

        svg.AppendLine(CultureInfo.InvariantCulture, $"""<path d="M{X(1):F1} 28 V{height - 12}" stroke="#888" stroke-dasharray="3 3"/></svg>""");
        return svg.ToString();
    }
}
