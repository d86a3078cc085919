using System.Globalization;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The goals in the last three full runs, side by side: a single run is one hour of one machine.</summary>
internal static class GoalRuns
{
    private const string Section = "goal-runs";
    private const int Kept = 3;

    /// <summary>Adds the goals that the page has now as the latest run, in the place of the oldest.</summary>
    /// <param name="begun">When the run began.</param>
    public static string Add(DateTimeOffset begun)
    {
        var earlier = RowsOf(Page.Read(Section));
        string[] runs = earlier.Count == 0 ? [] : earlier[0][2..];
        var cells = earlier.Skip(1).ToDictionary(row => row[0], row => row[2..]);
        var dropped = Math.Max(0, runs.Length + 1 - Kept);
        var table = new Table(["goal", "at least / exactly", .. runs[dropped..], begun.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)]);
        foreach (var (goal, least, measured) in Goals())
        {
            var before = cells.GetValueOrDefault(goal) ?? [.. runs.Select(_ => "-")];
            table.Add([goal, least, .. before[dropped..], measured]);
        }

        return table.ToString();
    }

    /// <summary>Writes it into the page.</summary>
    public static void Write(DateTimeOffset begun) => Page.Write(Section, "dotnet run -c Release --project tests/Idempotency.AspNetCore.Benchmarks -- results", $"The machine is that of the latest run.\n\n{Add(begun)}");

    private static IEnumerable<(string Goal, string Least, string Measured)> Goals()
    {
        foreach (var row in RowsOf(Page.Read("goals")).Skip(1).Where(row => row[1].Length > 0))
        {
            yield return (row[0], row[1], Cell(row[1], row[2], row[3]));
        }

        foreach (var row in RowsOf(Page.Read("growth-goals")).Skip(1))
        {
            yield return ($"{row[0]}: {row[1]}, to bare", row[2], Cell(row[2], row[3], row[4]));
            yield return ($"{row[0]}: {row[1]}, to its floor", row[5], Cell(row[5], row[6], row[7]));
        }
    }

    // Processor time only where it decides too.
    private static string Cell(string least, string measured, string holds) => $"{(least.Contains("quartiles") ? measured : measured.Split(", processor time")[0])} {holds}";

    /// <summary>The cells of a Markdown table, its header first.</summary>
    private static List<string[]> RowsOf(string section) =>
        [.. section.Split('\n')
            .Where(line => line.StartsWith('|') && !line.StartsWith("| ---", StringComparison.Ordinal))
            .Select(line => line.Trim('|', ' ').Split(" | ").Select(cell => cell.Trim()).ToArray())];
}
