using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What must hold for every file of the repository.</summary>
public sealed partial class RepositoryTests
{
    /// <summary>The guideline is 140 (<c>max_line_length</c> in .editorconfig). A longer line than this cannot be read without scrolling.</summary>
    private const int LongestLine = 260;

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

    [Fact]
    public async Task No_line_of_code_is_too_long()
    {
        var sources = (await TrackedFilesAsync()).Where(file => file.EndsWith(".cs", StringComparison.Ordinal) && File.Exists(Path.Combine(Root, file))).ToList();
        Assert.NotEmpty(sources);
        Assert.Empty(
            from file in sources
            from line in File.ReadLines(Path.Combine(Root, file)).Select((text, i) => (Number: i + 1, Text: text))
            where IsTooLong(line.Text) && !line.Text.TrimStart().StartsWith("INSERT INTO ", StringComparison.Ordinal) // an expected statement, compared as a whole
            select $"{file}:{line.Number} has {line.Text.Length} characters. Wrap it at {LongestLine} or less.");
    }

    [Theory]
    [InlineData(260, false)]
    [InlineData(261, true)]
    public void A_long_line_is_recognized(int length, bool isTooLong)
    {
        Assert.Equal(isTooLong, IsTooLong(new string('x', length)));
        Assert.False(IsTooLong($"throw new E(\"{new string('x', length)}\");"));
    }

    [Fact]
    public async Task Every_YAML_file_can_be_parsed()
    {
        var files = (await TrackedFilesAsync()).Where(file => Path.GetExtension(file) is ".yml" or ".yaml" && File.Exists(Path.Combine(Root, file))).ToList();
        Assert.Contains(".github/workflows/ci.yml", files); // or nothing was looked at
        Assert.All(files, file => Assert.NotEmpty(Yaml(file).Documents));
    }

    [Fact]
    public async Task Workflows_have_read_only_tokens_and_use_released_actions()
    {
        var workflows = (await TrackedFilesAsync()).Where(file => file.StartsWith(".github/workflows/", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(workflows);
        foreach (var workflow in workflows)
        {
            var root = Assert.IsType<YamlMappingNode>(Yaml(workflow).Documents[0].RootNode);
            Assert.Equal("read", root["permissions"]["contents"].ToString());
            var steps = ((YamlMappingNode)root["jobs"]).Children.Values.SelectMany(job => ((YamlSequenceNode)job["steps"]).Children).Cast<YamlMappingNode>().ToList();
            Assert.All(steps, step => Assert.True(step.Children.ContainsKey("uses") != step.Children.ContainsKey("run"), $"{workflow}: a step either uses an action or runs a command."));
            Assert.All(steps.Where(step => step.Children.ContainsKey("uses")), step => Assert.Matches("^[a-z-]+/[a-z/-]+@v[0-9]+$", step["uses"].ToString()));
        }
    }

    private static YamlStream Yaml(string file)
    {
        using var reader = new StreamReader(Path.Combine(Root, file));
        var yaml = new YamlStream();
        var failure = Record.Exception(() => yaml.Load(reader));
        Assert.True(failure is null, $"{file}: {failure?.Message}");
        return yaml;
    }

    // A message is one string: it is easier to find in one piece.
    private static bool IsTooLong(string line) => line.Length > LongestLine && !LongString().IsMatch(line);

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.){60,}\"")]
    private static partial Regex LongString();

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
