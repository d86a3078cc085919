namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A Markdown table.</summary>
internal sealed class Table(params string[] columns)
{
    private readonly List<string> _lines = [Line(columns), Line(columns.Select((_, i) => i == 0 ? "---" : "---:"))];

    public void Add(params string[] cells) => _lines.Add(Line(cells));

    public override string ToString() => string.Join('\n', _lines);

    private static string Line(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |";
}
