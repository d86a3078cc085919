namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Three servers on one store, all real processes.</summary>
public abstract class Cluster : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(Memory, $"many-servers-{Guid.NewGuid():N}"));
    private readonly int _port = FreePort.Next();
    private ServerProcess? _store;

    // Processes die in these tests, and machines do not: waiting for a disk would only halve the number of operations.
    private static string Memory => Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();

    protected Cluster()
    {
        Effects = new Effects(Folder);
        Servers = [.. ((string[])["a", "b", "c"]).Select(name =>
        {
            var toStore = new TcpProxy(_port, CountedText);
            return new Server(name, toStore, new Dictionary<string, string>(Settings(toStore.Port)) { ["EffectsFolder"] = Folder });
        })];
    }

    public IReadOnlyList<Server> Servers { get; }

    public Effects Effects { get; }

    /// <summary>What stands once in each request that a server sends to the store for a record.</summary>
    protected abstract string CountedText { get; }

    /// <summary>For files of the store and of the tests; gone with them.</summary>
    protected string Folder => _folder.FullName;

    /// <summary>How a server finds the store behind this port.</summary>
    protected abstract IReadOnlyDictionary<string, string> Settings(int port);

    /// <summary>Starts a store that keeps its data in <see cref="Folder"/>, so that a restart loses nothing.</summary>
    protected abstract Task<ServerProcess> StartStoreAsync(int port);

    /// <summary>How many calls for records the store has had, from all servers.</summary>
    public virtual Task<long> CountStoreCallsAsync() => Task.FromResult(Servers.Sum(server => server.ToStore.Requests));

    /// <summary>The store's port, past all proxies.</summary>
    protected int StorePort => _port;

    public async ValueTask InitializeAsync()
    {
        await HealAsync();
    }

    /// <summary>Everything runs, nothing is cut or slow, and each server has an answer from the store.</summary>
    public async Task HealAsync()
    {
        await StartStoreAsync();
        ThawStore();
        foreach (var server in Servers)
        {
            server.ToStore.Heal();
            server.Thaw();
        }

        await Task.WhenAll(Servers.Select(server => server.StartAsync()));
        await Task.WhenAll(Servers.Select(server => Eventually.GetAsync(() => server.PostAsync("patient", NewKey()), answer => answer.IsSuccess)));
    }

    public virtual async Task StartStoreAsync() => _store ??= await StartStoreAsync(_port);

    /// <summary><c>kill -9</c> of the store.</summary>
    public virtual void KillStore()
    {
        _store?.Dispose();
        _store = null;
    }

    /// <summary>SIGSTOP: connections stand, and nothing comes back.</summary>
    public void FreezeStore() => _store!.Signal("STOP");

    /// <summary>SIGCONT.</summary>
    public virtual void ThawStore() => _store!.Signal("CONT");

    public FileGate NewGate() => new(Folder);

    public static string NewKey() => Guid.NewGuid().ToString("N");

    public virtual ValueTask DisposeAsync()
    {
        foreach (var server in Servers)
        {
            server.Dispose();
        }

        KillStore();
        _folder.Delete(recursive: true);
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}
