using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>The application's connection when it has one, else one of the store's own, made at its first use.</summary>
internal sealed class RedisConnection(IOptions<RedisIdempotencyStoreOptions> options, IConnectionMultiplexer? shared) : IDisposable
{
    private readonly Lock _lock = new();
    private Task<ConnectionMultiplexer>? _own;
    private bool _isDisposed;
    private IDatabase? _database = shared?.GetDatabase(options.Value.Database);

    /// <summary>The database, once there is a connection.</summary>
    public IDatabase? Database => _database;

    public ValueTask<IDatabase> DatabaseAsync(CancellationToken cancellationToken)
    {
        if (_database is { } database)
        {
            return ValueTask.FromResult(database);
        }

        Task<ConnectionMultiplexer> own;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, typeof(RedisIdempotencyStore));
            if (_own is null || _own.IsFaulted || _own.IsCanceled)
            {
                _own = ConnectAsync(options.Value.Configuration!);
            }

            own = _own;
        }

        return WhenConnectedAsync(own, cancellationToken);
    }

    public void Dispose()
    {
        Task<ConnectionMultiplexer>? own;
        lock (_lock)
        {
            _isDisposed = true;
            _database = null;
            own = _own;
        }

        // Also one that is still being made.
        own?.ContinueWith(static made => made.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async ValueTask<IDatabase> WhenConnectedAsync(Task<ConnectionMultiplexer> own, CancellationToken cancellationToken) =>
        _database = (await own.WaitAsync(cancellationToken)).GetDatabase(options.Value.Database);

    private static Task<ConnectionMultiplexer> ConnectAsync(string configuration)
    {
        var parsed = ConfigurationOptions.Parse(configuration);
        // A server that comes up after the application is connected to when it does; until then every command fails, and requests are answered 503.
        parsed.AbortOnConnectFail = false;
        return ConnectionMultiplexer.ConnectAsync(parsed);
    }
}
