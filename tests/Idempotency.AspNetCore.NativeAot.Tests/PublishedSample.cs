using System.Diagnostics;
using System.Reflection;

namespace Idempotency.AspNetCore.NativeAot.Tests;

/// <summary>The sample, published once as native code from what the build has left.</summary>
public sealed class PublishedSample : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("idempotency-aot-").FullName;
    private readonly string _intermediate = Directory.CreateTempSubdirectory("idempotency-aot-obj-").FullName;
    private Server? _shared;

    /// <summary>What the publish wrote.</summary>
    public string Output { get; private set; } = "";

    /// <summary>The files that it made.</summary>
    public IEnumerable<string> Files => Directory.EnumerateFiles(_folder).Select(file => Path.GetFileName(file));

    /// <summary>A client of a process with its records in memory, which tests share.</summary>
    internal HttpClient Client => _shared!.Client;

    public async ValueTask InitializeAsync()
    {
        // Nothing is restored or built: other tests use these projects meanwhile. Optimizing and debug symbols take a third of the time, and warnings do not depend on them. A folder of its own
        // makes the compiler start afresh: what is up to date gives no warnings.
        string[] publish =
        [
            "publish", FromBuild("Sample"), "-c", FromBuild("Configuration"), "--no-build", "-o", _folder, "--nologo", "-v", "minimal",
            "-p:Optimize=false", "-p:NativeDebugSymbols=false", $"-p:NativeIntermediateOutputPath={_intermediate}{Path.DirectorySeparatorChar}",
        ];
        using var process = Process.Start(new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", publish) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var written = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Output = string.Concat(written);
        Assert.True(process.ExitCode == 0, $"The sample was not published. Native AOT needs a linker (Debian: apt-get install clang zlib1g-dev). It wrote:{Environment.NewLine}{Output}");
        _shared = await StartAsync();
    }

    public ValueTask DisposeAsync()
    {
        _shared?.Dispose();
        Directory.Delete(_folder, recursive: true);
        Directory.Delete(_intermediate, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>Starts a process of the sample.</summary>
    internal async Task<Server> StartAsync(string? redis = null)
    {
        var port = FreePort.Next();
        var start = new ProcessStartInfo(Path.Combine(_folder, OperatingSystem.IsWindows() ? "PaymentsAot.exe" : "PaymentsAot"), ["--urls", $"http://127.0.0.1:{port}"]) { WorkingDirectory = _folder };
        if (redis is not null)
        {
            start.Environment["ConnectionStrings__Redis"] = redis;
        }

        return new Server(await ServerProcess.StartAsync(start, port, "It is what the publish made."), port);
    }

    private static string FromBuild(string name) => typeof(PublishedSample).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(attribute => attribute.Key == name).Value!;
}
