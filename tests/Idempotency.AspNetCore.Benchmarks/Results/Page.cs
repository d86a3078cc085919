using System.Runtime.CompilerServices;

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
        if (isWritten)
        {
            Write(section, command, text);
        }
    }

    /// <summary>Writes a section into the README.</summary>
    public static void Write(string section, string command, string text)
    {
        var (page, from, to) = Find(section);
        File.WriteAllText(ReadmePath, $"{page[..from]}\n\n    {command}\n\n{Machine.Description}\n\n{text}\n\n{page[to..]}");
    }

    /// <summary>What the README has in a section.</summary>
    public static string Read(string section)
    {
        var (page, from, to) = Find(section);
        return page[from..to];
    }

    private static string ReadmePath => Path.Combine(Folder, "README.md");

    private static (string Page, int From, int To) Find(string section)
    {
        var page = File.ReadAllText(ReadmePath);
        var (begin, end) = ($"<!-- begin {section} -->", $"<!-- end {section} -->");
        var from = page.IndexOf(begin, StringComparison.Ordinal);
        var to = page.IndexOf(end, StringComparison.Ordinal);
        return from >= 0 && to > from
            ? (page, from + begin.Length, to)
            : throw new InvalidOperationException($"The README has no place for '{section}'. Add the lines '{begin}' and '{end}' to it.");
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
