using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>The connection of the store: opened once, in the background, and retried until a server responds that can store records.</summary>
/// <param name="options">The options of the store.</param>
/// <param name="connect">Opens the connection.</param>
/// <param name="isOwn">Whether the store disposes of it.</param>
/// <param name="endsCalls">Whether the client itself ends a call that exceeds the call timeout.</param>
/// <param name="logger">Logs warnings about the settings of the server.</param>
internal sealed class RedisConnection(RedisIdempotencyStoreOptions options, Func<Task<IConnectionMultiplexer>> connect, bool isOwn, bool endsCalls, ILogger logger) : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    // Between attempts that return no connection. Through Sentinel, some versions of the client leave the connections of such an attempt open (up to 3.2.14), and nobody else can close them.
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _disposing = new();
    private readonly Lock _lock = new();
    private Task<IConnectionMultiplexer>? _opening;
    private volatile Task<IDatabase>? _attempt;
    private volatile IDatabase? _database;
    private volatile bool _isRejected;

    /// <summary>The database, once there is a connection.</summary>
    public IDatabase? Database => _database;

    /// <summary>Limits a call to the call timeout. If the client does so, this costs nothing.</summary>
    public Task<T> InTime<T>(Task<T> call, CancellationToken cancellationToken) =>
        endsCalls ? call.WaitAsync(cancellationToken) : call.WaitAsync(options.CallTimeout, cancellationToken);

    /// <summary>The exception of a call that exceeded the timeout and that the client did not end.</summary>
    public TimeoutException TookTooLong(TimeoutException timeout) =>
        new($"Redis did not reply within {options.CallTimeout} ({nameof(RedisIdempotencyStoreOptions)}.{nameof(RedisIdempotencyStoreOptions.CallTimeout)}).", timeout);

    /// <summary>Starts to connect, if that has not started yet.</summary>
    public void Open() => _ = Attempt();

    /// <summary>The database. Calls wait for the first attempt to connect; during later attempts, they fail immediately, like the last attempt.</summary>
    public async ValueTask<IDatabase> DatabaseAsync(CancellationToken cancellationToken)
    {
        if (_database is { } database)
        {
            return database;
        }

        var attempt = Attempt();
        try
        {
            return await attempt.WaitAsync(options.CallTimeout, cancellationToken);
        }
        catch (TimeoutException timeout) when (!attempt.IsCompleted)
        {
            throw TookTooLong(timeout);
        }
    }

    public void Dispose()
    {
        Task<IConnectionMultiplexer>? opening;
        lock (_lock)
        {
            _disposing.Cancel();
            _database = null;
            opening = _opening;
        }

        if (isOwn)
        {
            // Also a connection that is still being opened.
            opening?.ContinueWith(static opened => opened.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    // The client connects again by itself, but only with a connection that it has returned.
    private bool HasNoConnection => _opening is { IsFaulted: true } or { IsCanceled: true };

    private Task<IDatabase> Attempt()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, typeof(RedisIdempotencyStore));
            if (_attempt is null)
            {
                _attempt = ConnectAsync();
                _ = RepeatAsync(_attempt);
            }

            return _attempt;
        }
    }

    private async Task RepeatAsync(Task<IDatabase> attempt)
    {
        var pause = TimeSpan.Zero;
        while (true)
        {
            try
            {
                await attempt;
                return;
            }
            catch (Exception)
            {
                _attempt = attempt;
            }

            if (_isRejected)
            {
                return; // this server will not become a different one
            }

            pause = !HasNoConnection || pause == TimeSpan.Zero ? Pause : 2 * pause < LongestPause ? 2 * pause : LongestPause;
            await Task.Delay(pause, _disposing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_disposing.IsCancellationRequested)
            {
                return;
            }

            attempt = ConnectAsync();
        }
    }

    private async Task<IDatabase> ConnectAsync()
    {
        await Task.Yield(); // the caller does not wait for the synchronous part of opening the connection
        var connection = await OpenAsync();
        if (!connection.IsConnected)
        {
            await FailAsync(connection);
        }

        var servers = connection.GetServers().Where(static server => server.IsConnected).ToList();
        if (!options.GarnetRunsScriptsAsTransactions && servers.Exists(static server => server.GetProductVariant(out _) == ProductVariant.Garnet))
        {
            _isRejected = true;
            Log.GarnetRejected(logger);
            throw new NotSupportedException(Log.GarnetRejection);
        }

        var database = connection.GetDatabase(options.Database);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, typeof(RedisIdempotencyStore));
            _database = database;
        }

        _ = RedisServerSettings.WarnAsync(servers, logger);
        return database;
    }

    /// <summary>Throws the reason why there is no connection, as the client reports it: nothing listens, a wrong password, an untrusted certificate.</summary>
    private static async Task FailAsync(IConnectionMultiplexer connection)
    {
        try
        {
            await connection.GetDatabase().PingAsync().WaitAsync(Pause);
        }
        catch (TimeoutException timeout) when (timeout is not RedisTimeoutException)
        {
            throw new TimeoutException("The application's Redis connection is not connected.", timeout); // its client queues the call
        }
    }

    private Task<IConnectionMultiplexer> OpenAsync()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, typeof(RedisIdempotencyStore));
            return _opening is null || HasNoConnection ? _opening = connect() : _opening;
        }
    }
}
