using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>A Lua script on one key, run by its hash: one round trip, and a second one only when the server does not know the script.</summary>
internal sealed class RedisScript
{
    private readonly string _text;
    private readonly byte[] _hash;

    [SuppressMessage("Security", "CA5350:Do Not Use Weak Cryptographic Algorithms", Justification = "Redis names scripts by their SHA-1 (EVALSHA); nothing is secured by it.")]
    public RedisScript(string name)
    {
        using var stream = typeof(RedisScript).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        _text = reader.ReadToEnd();
        _hash = SHA1.HashData(Encoding.UTF8.GetBytes(_text));
    }

    /// <remarks>
    /// A server forgets scripts (SCRIPT FLUSH, a restart, a failover, another node of a cluster). It says so before it runs anything, so
    /// sending the text then is no second run.
    /// </remarks>
    public async Task<RedisResult> RunAsync(IDatabase database, RedisKey key, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        RedisResult result;
        try
        {
            result = await database.ScriptEvaluateAsync(_hash, [key], arguments).WaitAsync(cancellationToken);
        }
        catch (RedisServerException unknown) when (unknown.Message.Contains("NOSCRIPT", StringComparison.Ordinal))
        {
            result = await database.ScriptEvaluateAsync(_text, [key], arguments).WaitAsync(cancellationToken);
        }

        // Version 1 of the client runs what comes next on the thread that reads replies, in order: a handler that blocks there would stop every
        // reply of the process. So what comes next starts on a thread of the pool.
        await Task.Yield();
        return result;
    }
}
