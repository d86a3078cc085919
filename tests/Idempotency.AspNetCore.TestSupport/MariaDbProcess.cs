using System.Diagnostics;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A MariaDB that a test starts, in a data directory of its own below the temporary one. Its user is <c>root</c>, without a password, from this machine only.</summary>
public sealed class MariaDbProcess : IDisposable
{
    private const string HowToInstall = "Install it (Debian: apt-get install mariadb-server-core), or set IDEMPOTENCY_TEST_MARIADB to a running server's connection string.";

    private readonly ServerProcess _process;
    private readonly string _data;

    private MariaDbProcess(ServerProcess process, string data, int port)
    {
        _process = process;
        _data = data;
        Port = port;
    }

    /// <summary>Where it listens, on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>A connection string, as MySql.Data reads it.</summary>
    public string ConnectionString => $"Server=127.0.0.1;Port={Port};User ID=root;SslMode=Disabled";

    /// <summary>Starts it in an empty directory, and returns when it takes connections.</summary>
    /// <exception cref="InvalidOperationException">It is not installed, or does not start.</exception>
    public static async Task<MariaDbProcess> StartAsync(params string[] settings)
    {
        var data = Directory.CreateTempSubdirectory("idempotency-mariadb-").FullName;
        var port = FreePort.Next();
        // Without tables of users: whoever connects may do everything. Nothing is flushed, because only a machine that fails would lose anything, and then the data directory means nothing.
        string[] server =
        [
            Program(), "--no-defaults", $"--datadir={data}", $"--port={port}", "--bind-address=127.0.0.1", $"--socket={Path.Combine(data, "socket")}", "--skip-grant-tables", "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=16M", "--innodb-buffer-pool-size=32M", "--max-connections=500",
            // MySql.Data fails to connect where a collation has no number, which some of MariaDB's have not.
            "--old-mode=UTF8_IS_UTF8MB3,NO_NULL_COLLATION_IDS",
            .. Environment.IsPrivilegedProcess ? ["--user=root"] : Array.Empty<string>(),
            .. settings.Select(setting => "--" + setting),
        ];
        var start = new ProcessStartInfo("sh", ["-c", DataKeeper.Script, "sh", .. server]) { WorkingDirectory = Path.GetTempPath(), RedirectStandardInput = true };
        start.Environment[DataKeeper.Data] = data;
        return new MariaDbProcess(await ServerProcess.StartAsync(start, port, HowToInstall), data, port);
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

    // Debian has it among the programs for administrators, which are not in everybody's PATH.
    private static string Program() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Append("/usr/sbin").Select(folder => Path.Combine(folder, "mariadbd")).FirstOrDefault(File.Exists)
        ?? throw new InvalidOperationException($"MariaDB's 'mariadbd' is not there. {HowToInstall}");
}
