using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What must hold for every file of the repository.</summary>
public sealed class RepositoryTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", ".."));

    [Fact]
    public async Task No_tracked_file_has_conflict_markers()
    {
        var marked = new List<string>();
        var tracked = await TrackedFilesAsync();
        foreach (var file in tracked)
        {
            var path = Path.Combine(Root, file);
            if (File.Exists(path) && await HasConflictMarkersAsync(path))
            {
                marked.Add(file);
            }
        }

        Assert.Contains("README.md", tracked); // or nothing was looked at
        Assert.Empty(marked);
    }

    [Theory]
    [InlineData("<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> other\n", true)]
    [InlineData("<<<<<<< HEAD\r\nours\r\n=======\r\ntheirs\r\n>>>>>>> other\r\n", true)]
    [InlineData("<<<<<<<\nours\n", true)]
    [InlineData("theirs\n>>>>>>> other", true)]
    [InlineData("ours\n||||||| base\n", true)]
    [InlineData("Heading\n=======\n", false)] // Markdown
    [InlineData("a <<<<<<< b\n<<<<<<<<<<\n", false)]
    public async Task A_conflict_marker_is_recognized(string text, bool isMarked)
    {
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, text);
            Assert.Equal(isMarked, await HasConflictMarkersAsync(path));
        }
        finally
        {
            File.Delete(path);
        }
    }

    // The line between the two sides is no sign by itself: it underlines a heading in Markdown.
    private static async Task<bool> HasConflictMarkersAsync(string path)
    {
        string[] markers = [new('<', 7), new('|', 7), new('>', 7)];
        return (await File.ReadAllLinesAsync(path)).Any(line => markers.Any(marker => line == marker || line.StartsWith($"{marker} ", StringComparison.Ordinal)));
    }

    private static async Task<string[]> TrackedFilesAsync()
    {
        if (!Path.Exists(Path.Combine(Root, ".git")))
        {
            // An archive of the sources has nothing else in it but what is built.
            return [.. Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(Root, path)).Where(path => !path.Split(Path.DirectorySeparatorChar).Any(folder => folder is "bin" or "obj" or "node_modules"))];
        }

        // Whoever owns the folder: in a container that is often somebody else.
        using var git = Process.Start(new ProcessStartInfo("git", ["-c", "safe.directory=*", "-C", Root, "ls-files", "-z"]) { RedirectStandardOutput = true })!;
        var files = await git.StandardOutput.ReadToEndAsync();
        await git.WaitForExitAsync();
        Assert.True(git.ExitCode == 0, "'git ls-files' failed, so the tracked files are not known.");
        return files.Split('\0', StringSplitOptions.RemoveEmptyEntries);
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
