using System.Runtime.CompilerServices;
using System.Text;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The README beside this project: figures stand between markers, where only the benchmark writes, so that they and their commands cannot drift apart.</summary>
internal sealed class Page(bool isWritten)
{
    public bool IsWritten => isWritten;

    /// <summary>The folder of this project's sources.</summary>
    public static string Folder { get; } = Path.GetDirectoryName(Path.GetDirectoryName(ThisFile()))!;

    /// <summary>Prints a section, and writes it into the README where that was asked for.</summary>
    /// <param name="section">The name in the markers.</param>
    /// <param name="command">What prints it.</param>
    /// <param name="text">The figures, in Markdown.</param>
    public void Add(string section, string command, string text)
    {
        Console.WriteLine($"\n{text}");
        if (!isWritten)
        {
            return;
        }

        var path = Path.Combine(Folder, "README.md");
        var page = File.ReadAllText(path);
        var (begin, end) = ($"<!-- begin {section} -->", $"<!-- end {section} -->");
        var from = page.IndexOf(begin, StringComparison.Ordinal);
        var to = page.IndexOf(end, StringComparison.Ordinal);
        if (from < 0 || to < from)
        {
            throw new InvalidOperationException($"The README has no place for '{section}'. Add the lines '{begin}' and '{end}' to it.");
        }

        var written = new StringBuilder(page[..(from + begin.Length)])
            .Append($"\n\n    {command}\n\n{Machine.Description}\n\n{text}\n\n")
            .Append(page[to..]);
        File.WriteAllText(path, written.ToString());
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
