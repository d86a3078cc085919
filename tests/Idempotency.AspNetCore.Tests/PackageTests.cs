using System.Diagnostics;
using System.IO.Compression;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What is shipped: its public names, and the package they come in.</summary>
public sealed partial class PackageTests
{
    private static string Folder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    private static string Root => Path.GetFullPath(Path.Combine(Folder(), "..", ".."));

    private static string Prefix => typeof(PackageTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "PackageIdPrefix").Value ?? "";

    // The analyzers come in the package of the core.
    private static IEnumerable<string> Packages => Directory.GetDirectories(Path.Combine(Root, "src")).Select(folder => Path.GetFileName(folder)).Where(name => !name.Contains(".Analyzers", StringComparison.Ordinal));

    [Fact]
    public void Every_project_under_src_is_tested_as_a_package()
    {
        var tested = typeof(PackageTests).GetMethod(nameof(The_package_has_its_readme_documentation_and_symbols))!.GetCustomAttributes<InlineDataAttribute>().Select(data => (string)data.Data[0]!);
        Assert.Equal(Packages.Order(StringComparer.Ordinal), tested.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_dotnet_add_package_line_in_the_documentation_names_a_package_of_ours_by_its_id()
    {
        var ids = Packages.Select(name => Prefix + name).ToHashSet(StringComparer.Ordinal);
        var lines = Directory.GetFiles(Root, "*.md").Concat(Directory.GetFiles(Path.Combine(Root, "docs"), "*.md")).Concat(Packages.Select(Readme))
            .SelectMany(file => File.ReadLines(file).Select(line => (File: file, Added: AddPackage().Match(line)))).Where(line => line.Added.Success).ToList();
        Assert.NotEmpty(lines);
        Assert.All(lines, line => Assert.Contains(line.Added.Groups["id"].Value, ids));
    }

    [Fact]
    public void No_package_readme_has_a_relative_link_which_would_die_outside_the_repository() => Assert.All(Packages, name =>
        Assert.All(Link().Matches(File.ReadAllText(Readme(name))), link => Assert.True(link.Groups["to"].Value is ['#', ..] || Uri.IsWellFormedUriString(link.Groups["to"].Value, UriKind.Absolute), $"{name}: {link.Value}")));

    [GeneratedRegex(@"dotnet add (\S+ )?package (?<id>[\w.]+)")]
    private static partial Regex AddPackage();

    [GeneratedRegex(@"(\]\((?<to>[^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(?<to>\S+)|(href|src)=""(?<to>[^""]+)"")", RegexOptions.Multiline)]
    private static partial Regex Link();

    private static string Readme(string name) => Path.Combine(Root, "src", name, "README.md");

    [Fact]
    public void The_public_API_is_the_approved_one() => PublicApi.AssertApproved(typeof(IdempotencyPolicy).Assembly);

    [Theory]
    [InlineData("Idempotency.AspNetCore", "UseIdempotency")]
    [InlineData("Idempotency.AspNetCore.Dashboard", "MapIdempotencyDashboard")]
    [InlineData("Idempotency.AspNetCore.DynamoDB", "AddDynamoDBStore")]
    [InlineData("Idempotency.AspNetCore.EntityFrameworkCore", "AddEntityFrameworkCoreStore")]
    [InlineData("Idempotency.AspNetCore.JmesPath", "AddJmesPath")]
    [InlineData("Idempotency.AspNetCore.OpenApi", "AddIdempotency")]
    [InlineData("Idempotency.AspNetCore.Redis", "AddRedisStore")]
    [InlineData("Idempotency.AspNetCore.StoreConformance", "StoreConformanceTests")]
    [InlineData("Idempotency.Http", "AddIdempotencyKeys")]
    [InlineData("Idempotency.Http.Resilience", "AddIdempotentResilienceHandler")]
    public async Task The_package_has_its_readme_documentation_and_symbols(string name, string inReadme)
    {
        var output = Directory.CreateTempSubdirectory("idempotency-pack-").FullName;
        var project = Path.Combine(Folder(), "..", "..", "src", name, $"{name}.csproj");
        var configuration = AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Release{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Release" : "Debug";
        using (var pack = Process.Start(new ProcessStartInfo("dotnet", ["pack", project, "--no-build", "-c", configuration, "-o", output, $"-p:PackageIdPrefix={Prefix}"]) { RedirectStandardOutput = true })!)
        {
            var text = await pack.StandardOutput.ReadToEndAsync();
            await pack.WaitForExitAsync();
            Assert.True(pack.ExitCode == 0, text);
        }

        using var package = await ZipFile.OpenReadAsync(Directory.GetFiles(output, "*.nupkg").Single());
        var files = package.Entries.Select(entry => entry.FullName).ToList();
        Assert.Contains("README.md", files);
        Assert.Contains($"lib/net10.0/{name}.dll", files);
        Assert.Contains($"lib/net10.0/{name}.xml", files);
        Assert.Single(Directory.GetFiles(output, "*.snupkg"));
        using var readme = new StreamReader(await package.GetEntry("README.md")!.OpenAsync());
        Assert.Contains(inReadme, await readme.ReadToEndAsync(), StringComparison.Ordinal);
        using var specification = new StreamReader(await package.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).OpenAsync());
        var nuspec = await specification.ReadToEndAsync();
        Assert.Contains($"<id>{Prefix}{name}</id>", nuspec, StringComparison.Ordinal);
        Assert.Contains("<icon>icon.png</icon>", nuspec, StringComparison.Ordinal);
        Assert.Contains("icon.png", files);
        Assert.Contains("<releaseNotes>### Added", nuspec, StringComparison.Ordinal);
        Assert.Contains("<license type=\"expression\">MIT</license>", nuspec, StringComparison.Ordinal);
        Assert.Equal(name != "Idempotency.AspNetCore", nuspec.Contains("<dependency ", StringComparison.Ordinal));

        // docs/workers.md: the core needs the ASP.NET Core runtime, the client does not.
        var needsAspNetCore = nuspec.Contains("<frameworkReference name=\"Microsoft.AspNetCore.App\" />", StringComparison.Ordinal);
        Assert.True(name == "Idempotency.AspNetCore" ? needsAspNetCore : name.StartsWith("Idempotency.AspNetCore.", StringComparison.Ordinal) || !needsAspNetCore);

        // The core brings its analyzers, also to an application that references only a package built on it. Whoever writes a store needs none.
        Assert.Equal(
            name == "Idempotency.AspNetCore" ? ["analyzers/dotnet/cs/Idempotency.AspNetCore.Analyzers.CodeFixes.dll", "analyzers/dotnet/cs/Idempotency.AspNetCore.Analyzers.dll"] : [],
            files.Where(file => file.StartsWith("analyzers/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        var passesAnalyzersOn = name is not "Idempotency.AspNetCore" and not "Idempotency.AspNetCore.StoreConformance" && name.StartsWith("Idempotency.AspNetCore", StringComparison.Ordinal);
        Assert.Equal(passesAnalyzersOn, nuspec.Contains($"<dependency id=\"{Prefix}Idempotency.AspNetCore\" version=\"{Version()}\" include=\"All\" />", StringComparison.Ordinal));

        // What is built on the internals of another package must not meet another version of them.
        Assert.DoesNotContain($"<dependency id=\"{Prefix}Idempotency.AspNetCore\" version=\"[", nuspec, StringComparison.Ordinal);
        Assert.Equal(name == "Idempotency.Http.Resilience", nuspec.Contains($"<dependency id=\"{Prefix}Idempotency.Http\" version=\"[", StringComparison.Ordinal));
        Directory.Delete(output, recursive: true);

        string Version() => SpecifiedVersion().Match(nuspec).Groups["version"].Value;
    }

    [GeneratedRegex("<version>(?<version>[^<]+)</version>")]
    private static partial Regex SpecifiedVersion();
}
