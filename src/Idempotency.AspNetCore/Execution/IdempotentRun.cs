using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>A run as the work sees it, over HTTP and in functions.</summary>
internal abstract class IdempotentRun : IIdempotentRun
{
    private const byte DownstreamVersion = 1;
    private const int LongestStepName = 100;

    public abstract string Key { get; }

    public int Attempt => Claim?.Attempt ?? 1;

    public bool TookOver => Attempt > 1;

    public CancellationToken ClaimLost => Claim?.Lost ?? CancellationToken.None;

    /// <summary>The claim of the run; null if it runs unprotected.</summary>
    protected abstract OwnedClaim? Claim { get; }

    /// <summary>Identifies the request or call.</summary>
    protected abstract (StoreKey StoreKey, Fingerprint Fingerprint) Identity { get; }

    /// <remarks>
    /// The first 16 bytes of a SHA-256 over version, stored key, fingerprint and name, as a version 8 UUID (RFC 9562 section 5.8). It includes the
    /// fingerprint because a key can be used for a different request after its retention ends.
    /// </remarks>
    public string DownstreamKey(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var (storeKey, fingerprint) = Identity;
        var input = new PooledBytes(256);
        try
        {
            input.Add(DownstreamVersion);
            storeKey.Hash.CopyTo(input.Room(Sha256Hash.Length));
            input.Advance(Sha256Hash.Length);
            fingerprint.Hash.CopyTo(input.Room(Sha256Hash.Length));
            input.Advance(Sha256Hash.Length);
            input.AddPart(name);
            Span<byte> hash = stackalloc byte[Sha256Hash.Length];
            Sha256Hash.Of(input.Written).CopyTo(hash);
            hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
            hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
            return new Guid(hash[..16], bigEndian: true).ToString();
        }
        finally
        {
            input.Dispose();
        }
    }

    [RequiresUnreferencedCode(JsonResults.Reflects)]
    [RequiresDynamicCode(JsonResults.Reflects)]
    public Task<T> StepAsync<T>(string name, Func<CancellationToken, Task<T>> work, StepOptions? options, CancellationToken cancellationToken) =>
        StepAsync(name, work, JsonResults.TypeInfo<T>(), options, cancellationToken);

    public Task<T> StepAsync<T>(string name, Func<CancellationToken, Task<T>> work, JsonTypeInfo<T> resultType, StepOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(resultType);
        return RunStepAsync(name, work, new JsonResultFormat<T>(resultType), options, cancellationToken);
    }

    public Task StepAsync(string name, Func<CancellationToken, Task> work, StepOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunStepAsync(
            name,
            async cancellation =>
            {
                await work(cancellation);
                return default(NoResult);
            },
            NoResultFormat.Instance,
            options,
            cancellationToken);
    }

    private Task<T> RunStepAsync<T>(string name, Func<CancellationToken, Task<T>> work, ResultFormat<T> format, StepOptions? options, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(work);
        return name.Length > LongestStepName
            ? throw new ArgumentException($"A step name can have at most {LongestStepName} characters, but this one has {name.Length}.", nameof(name))
            : Claim is { } claim ? claim.RunStepAsync(name, work, format, options, cancellationToken)
            : work(cancellationToken);
    }

    public Task MarkEffectsStartedAsync(CancellationToken cancellationToken) => Claim?.MarkEffectsStartedAsync(cancellationToken) ?? Task.CompletedTask;
}
