using System.Buffers.Binary;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Puts completed records into a store.</summary>
internal static class StoreFiller
{
    public static async Task FillAsync(IIdempotencyStore store, int from, int to, int payload)
    {
        var number = new byte[sizeof(int)];
        for (var i = from; i < to; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(number, i);
            var key = new StoreKey(Sha256Hash.Of(number));
            var owner = Guid.NewGuid();
            await store.ClaimAsync(key, Claim(owner, new Fingerprint(key.Hash)), default);
            await store.CompleteAsync(key, owner, new byte[payload], TimeSpan.FromHours(24), default);
        }
    }

    public static IdempotencyClaim Claim(Guid owner, Fingerprint fingerprint) => new()
    {
        Owner = owner,
        Fingerprint = fingerprint,
        Attempt = 1,
        Lease = TimeSpan.FromMinutes(1),
        Retention = TimeSpan.FromHours(24),
    };
}
