using System.Diagnostics;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A PostgreSQL that a test starts, in a data directory of its own below the temporary one. Its user is <c>postgres</c>, without a password, from this machine only.</summary>
public sealed class PostgreSqlProcess : IDisposable
{
    private const string HowToInstall = "Install it (Debian: apt-get install postgresql), or set IDEMPOTENCY_TEST_POSTGRES to a running server's connection string.";
    private const string Ready = "ready to accept connections";

    private readonly ServerProcess _process;
    private readonly string _data;

    private PostgreSqlProcess(ServerProcess process, string data, int port)
    {
        _process = process;
        _data = data;
        Port = port;
    }

    /// <summary>Where it listens, on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>A connection string, as Npgsql reads it.</summary>
    public string ConnectionString => $"Host=127.0.0.1;Port={Port};Username=postgres";

    /// <summary>Makes a cluster, starts it, and returns when it takes connections.</summary>
    /// <exception cref="InvalidOperationException">It is not installed, or does not start.</exception>
    public static async Task<PostgreSqlProcess> StartAsync(params string[] settings)
    {
        var programs = ProgramsFolder();
        var data = Path.Combine(Path.GetTempPath(), $"idempotency-postgres-{Guid.NewGuid():N}");
        await RunAsync(AsOrdinaryUser([Path.Combine(programs, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]));
        var port = FreePort.Next();
        // Without fsync, because only a machine that fails would lose anything, and then the data directory means nothing.
        string[] server = [Path.Combine(programs, "postgres"), "-D", data, "-p", $"{port}",
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200", .. settings.SelectMany(setting => new[] { "-c", setting })];
        var start = AsOrdinaryUser(["sh", "-c", DataKeeper.Script, "sh", .. server]);
        start.RedirectStandardInput = true;
        start.Environment[DataKeeper.Data] = data;
        var process = new PostgreSqlProcess(await ServerProcess.StartAsync(start, port, HowToInstall), data, port);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!process._process.Output.Contains(Ready, StringComparison.Ordinal))
        {
            await tick.WaitForNextTickAsync();
        }

        return process;
    }

    /// <summary>Kills it and deletes its data.</summary>
    public void Dispose()
    {
        _process.Dispose();
        if (Directory.Exists(_data))
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    // Debian keeps the server's programs out of PATH, a folder a version.
    private static string ProgramsFolder()
    {
        const string Debians = "/usr/lib/postgresql";
        var folders = (Directory.Exists(Debians) ? Directory.GetDirectories(Debians).OrderByDescending(folder => folder, StringComparer.Ordinal).Select(folder => Path.Combine(folder, "bin")) : [])
            .Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator));
        return folders.FirstOrDefault(folder => File.Exists(Path.Combine(folder, "postgres")) && File.Exists(Path.Combine(folder, "initdb")))
            ?? throw new InvalidOperationException($"PostgreSQL's 'initdb' and 'postgres' are not there. {HowToInstall}");
    }

    // The server refuses to run as root; the package has made a user for it.
    private static ProcessStartInfo AsOrdinaryUser(string[] command)
    {
        if (Environment.IsPrivilegedProcess)
        {
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", .. command];
        }

        return new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = Path.GetTempPath() };
    }

    private static async Task RunAsync(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"'{string.Join(' ', start.ArgumentList)}' failed:{Environment.NewLine}{await output}{await errors}");
        }
    }
}
