using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.Redis.Tests;

/// <summary>The package's README: what it tells users to write is what the tests run.</summary>
internal static partial class Readme
{
    private static readonly string[] Lines = File.ReadAllLines(Path.Combine(Root(), "src", "Idempotency.AspNetCore.Redis", "README.md"));

    /// <summary>The one line that has this in it.</summary>
    public static string Line(string with) => Lines.Single(line => line.Contains(with, StringComparison.Ordinal)).Trim();

    /// <summary>The configuration string of that line, for servers of a test in the place of those that it names.</summary>
    /// <param name="with">What only that line has in it.</param>
    /// <param name="servers">A host and port for each that it names.</param>
    public static string Configuration(string with, params string[] servers)
    {
        var configuration = Literal().Match(Line(with)).Groups[1].Value;
        var next = 0;
        configuration = HostAndPort().Replace(configuration, _ => servers[next++]);
        Assert.Equal(servers.Length, next);
        return configuration;
    }

    private static string Root([CallerFilePath] string thisFile = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", ".."));

    [GeneratedRegex("\"([^\"]*:[0-9]+[^\"]*)\"")]
    private static partial Regex Literal();

    [GeneratedRegex("[a-z0-9.-]+:[0-9]+")]
    private static partial Regex HostAndPort();
}
