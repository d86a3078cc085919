using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>A Lua script on one key, run by its hash: one round trip, and a second one only when the server does not know the script.</summary>
internal sealed class RedisScript<T>
{
    private readonly string _text;
    private readonly byte[] _hash;
    private readonly Func<RedisResult, T> _parse;

    /// <param name="name">The script's file, without its extension.</param>
    /// <param name="parse">Reads what it returned.</param>
    [SuppressMessage("Security", "CA5350:Do Not Use Weak Cryptographic Algorithms", Justification = "Redis names scripts by their SHA-1 (EVALSHA); nothing is secured by it.")]
    public RedisScript(string name, Func<RedisResult, T> parse)
    {
        using var stream = typeof(RedisScript<T>).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        _text = reader.ReadToEnd();
        _hash = SHA1.HashData(Encoding.UTF8.GetBytes(_text));
        _parse = parse;
    }

    public ValueTask<T> RunAsync(RedisConnection connection, RedisKey key, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<T>(cancellationToken);
        }

        RedisKey[] keys = [key];
        return connection.Database is { } database
            ? RunAsync(database, keys, arguments, cancellationToken)
            : RunConnectedAsync(connection, keys, arguments, cancellationToken);
    }

    private async ValueTask<T> RunConnectedAsync(RedisConnection connection, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken) =>
        await RunAsync(await connection.DatabaseAsync(cancellationToken), keys, arguments, cancellationToken);

    private async ValueTask<T> RunAsync(IDatabase database, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        RedisResult result;
        try
        {
            result = await database.ScriptEvaluateAsync(_hash, keys, arguments).WaitAsync(cancellationToken);
        }
        catch (RedisServerException refusal)
        {
            result = await RefusedAsync(refusal, database, keys, arguments, cancellationToken);
        }

        // Version 1 of the client runs what comes next on the thread that reads replies, in order: a handler that blocks there would stop every
        // reply of the process. So what comes next starts on a thread of the pool.
        await Task.Yield();
        return _parse(result);
    }

    /// <remarks>
    /// A server forgets scripts (SCRIPT FLUSH, a restart, a failover, another node of a cluster). It says so before it runs anything, so
    /// sending the text then is no second run.
    /// </remarks>
    private async Task<RedisResult> RefusedAsync(RedisServerException refusal, IDatabase database, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        if (refusal.Message.Contains("NOSCRIPT", StringComparison.Ordinal))
        {
            try
            {
                // As EVAL, whatever the client believes of the server's memory: that may have been emptied again.
                return await database.ScriptEvaluateAsync(_text, keys, arguments, CommandFlags.NoScriptCache).WaitAsync(cancellationToken);
            }
            catch (RedisServerException again)
            {
                refusal = again;
            }
        }

        await Task.Yield(); // as after an answer
        if (refusal.Message.Contains("WRONGTYPE", StringComparison.Ordinal))
        {
            throw new IdempotencyRecordUnreadableException($"The Redis key '{(string?)keys[0]}' holds something that is no idempotency record. Give the store a KeyPrefix of its own.", refusal);
        }

        ExceptionDispatchInfo.Throw(refusal);
        throw refusal;
    }
}
