using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>A Lua script on one key, called by its hash: one round trip, and a second one only if the server does not have the script.</summary>
internal sealed class RedisScript<T>
{
    private readonly string _text;
    private readonly byte[] _hash;
    private readonly Func<RedisResult, T> _parse;

    /// <param name="names">The files of its parts, without their extension, in order.</param>
    /// <param name="parse">Parses its result.</param>
    [SuppressMessage("Security", "CA5350:Do Not Use Weak Cryptographic Algorithms", Justification = "Redis identifies scripts by their SHA-1 hash (EVALSHA); it is not used for security.")]
    public RedisScript(string[] names, Func<RedisResult, T> parse)
    {
        _text = string.Concat(names.Select(TextOf));
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
            ? RunAsync(connection, database, keys, arguments, cancellationToken)
            : RunConnectedAsync(connection, keys, arguments, cancellationToken);
    }

    private async ValueTask<T> RunConnectedAsync(RedisConnection connection, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken) =>
        await RunAsync(connection, await connection.DatabaseAsync(cancellationToken), keys, arguments, cancellationToken);

    private async ValueTask<T> RunAsync(RedisConnection connection, IDatabase database, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            return _parse(await connection.InTime(database.ScriptEvaluateAsync(_hash, keys, arguments), cancellationToken));
        }
        catch (RedisServerException refusal) when (refusal.Message.Contains("NOSCRIPT", StringComparison.Ordinal))
        {
            return await RunForgottenAsync(connection, database, keys, arguments, cancellationToken);
        }
        catch (RedisServerException refusal) when (IsOfAnotherType(refusal))
        {
            throw Unreadable(keys[0], refusal);
        }
        catch (TimeoutException timeout) when (timeout is not RedisTimeoutException)
        {
            throw connection.TookTooLong(timeout);
        }
    }

    /// <remarks>
    /// A server can lose scripts (SCRIPT FLUSH, a restart, a failover, another node of a cluster). It reports that before it runs anything, so
    /// sending the text is not a second run. It is sent with EVAL, regardless of the client's cache: the server's may have been emptied again.
    /// </remarks>
    private async Task<T> RunForgottenAsync(RedisConnection connection, IDatabase database, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            return _parse(await connection.InTime(database.ScriptEvaluateAsync(_text, keys, arguments, CommandFlags.NoScriptCache), cancellationToken));
        }
        catch (RedisServerException refusal) when (IsOfAnotherType(refusal))
        {
            throw Unreadable(keys[0], refusal);
        }
        catch (TimeoutException timeout) when (timeout is not RedisTimeoutException)
        {
            throw connection.TookTooLong(timeout);
        }
    }

    private static bool IsOfAnotherType(RedisServerException refusal) => refusal.Message.Contains("WRONGTYPE", StringComparison.Ordinal);

    private static IdempotencyRecordUnreadableException Unreadable(RedisKey key, RedisServerException refusal) =>
        new($"The Redis key '{(string?)key}' holds a value that is not an idempotency record. Set a KeyPrefix that no other data uses.", refusal);

    private static string TextOf(string name)
    {
        using var stream = typeof(RedisScript<T>).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
