using System.Diagnostics;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>The sample, as its users run it: a process of its own, with its own files, on a free port.</summary>
internal sealed partial class Sample : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string Folder = Path.GetFullPath(FromBuild("SampleFolder"));

    private readonly Process _process;
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"payments-{Guid.NewGuid():N}.db");
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Sample(int port, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            ArgumentList = { Path.Combine(Folder, FromBuild("SampleAssembly")), "--urls", $"http://127.0.0.1:{port}" },
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development"; // what dotnet run takes from launchSettings.json
        start.Environment.Remove("CACHE_TIME_IN_SECONDS");
        start.Environment["ConnectionStrings__Sqlite"] = $"Data Source={_file}";
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
    }

    public Uri Address => _listening.Task.Result;

    private string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Starts the sample and returns when it listens.</summary>
    /// <param name="cancellation">The test's end.</param>
    /// <param name="port">0 for a free one.</param>
    /// <param name="environment">Variables beside the test's own.</param>
    public static async Task<Sample> StartAsync(CancellationToken cancellation, int port = 0, IReadOnlyDictionary<string, string>? environment = null)
    {
        var sample = new Sample(port, environment ?? new Dictionary<string, string>());
        try
        {
            sample.Start();
            var exit = sample._process.WaitForExitAsync(cancellation);
            if (await Task.WhenAny(sample._listening.Task, exit).WaitAsync(Patience, cancellation) == exit)
            {
                throw new InvalidOperationException($"The sample ended instead of listening. It wrote:{Environment.NewLine}{sample.Output}");
            }

            return sample;
        }
        catch
        {
            sample.Dispose();
            throw;
        }
    }

    /// <summary>Starts a sample that is not to come up, and returns what it wrote.</summary>
    public static async Task<(int ExitCode, string Output)> FailToStartAsync(IReadOnlyDictionary<string, string> environment, CancellationToken cancellation)
    {
        using var sample = new Sample(port: 0, environment);
        sample.Start();
        await sample._process.WaitForExitAsync(cancellation).WaitAsync(Patience, cancellation);
        return (sample._process.ExitCode, sample.Output);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
        foreach (var file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*"))
        {
            File.Delete(file);
        }
    }

    private void Start()
    {
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    private void Read(string? line)
    {
        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (Listening().Match(line ?? "") is { Success: true } match)
        {
            _listening.TrySetResult(new Uri(match.Groups[1].Value));
        }
    }

    private static string FromBuild(string name) =>
        typeof(Sample).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(attribute => attribute.Key == name).Value!;

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Listening();
}
