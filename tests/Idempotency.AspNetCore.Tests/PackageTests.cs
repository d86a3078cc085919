using System.Diagnostics;
using System.IO.Compression;
using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What is shipped: its public names, and the package they come in.</summary>
public sealed class PackageTests
{
    private static string Folder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    [Fact]
    public void The_public_API_is_the_approved_one() => PublicApi.AssertApproved(typeof(IdempotencyPolicy).Assembly);

    [Theory]
    [InlineData("Idempotency.AspNetCore", "UseIdempotency")]
    [InlineData("Idempotency.AspNetCore.DynamoDB", "AddDynamoDBStore")]
    [InlineData("Idempotency.AspNetCore.OpenApi", "AddIdempotency")]
    [InlineData("Idempotency.AspNetCore.Redis", "AddRedisStore")]
    [InlineData("Idempotency.Http", "AddIdempotencyKeys")]
    [InlineData("Idempotency.Http.Resilience", "AddIdempotentResilienceHandler")]
    public async Task The_package_has_its_readme_documentation_and_symbols(string name, string inReadme)
    {
        var output = Directory.CreateTempSubdirectory("idempotency-pack-").FullName;
        var project = Path.Combine(Folder(), "..", "..", "src", name, $"{name}.csproj");
        var configuration = AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Release{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Release" : "Debug";
        using (var pack = Process.Start(new ProcessStartInfo("dotnet", ["pack", project, "--no-build", "-c", configuration, "-o", output]) { RedirectStandardOutput = true })!)
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
        Assert.Contains("<license type=\"expression\">MIT</license>", nuspec, StringComparison.Ordinal);
        Assert.Equal(name != "Idempotency.AspNetCore", nuspec.Contains("<dependency ", StringComparison.Ordinal));

        // What is built on the internals of another package must not meet another version of them.
        Assert.DoesNotContain("<dependency id=\"Idempotency.AspNetCore\" version=\"[", nuspec, StringComparison.Ordinal);
        Assert.Equal(name == "Idempotency.Http.Resilience", nuspec.Contains("<dependency id=\"Idempotency.Http\" version=\"[", StringComparison.Ordinal));
        Directory.Delete(output, recursive: true);
    }
}
