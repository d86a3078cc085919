using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What an in-memory store has counted when it is full: it says so when it refuses a key, and nowhere else.</summary>
internal static partial class FullStore
{
    public static StoreCount Fill(int maxRecords, long maxBytes, int payload)
    {
        using var store = new InMemoryIdempotencyStore(Options.Create(new InMemoryIdempotencyStoreOptions { MaxRecords = maxRecords, MaxBytes = maxBytes }), TimeProvider.System);
        return Fill(store, payload);
    }

    public static StoreCount Fill(IIdempotencyStore store, int payload)
    {
        try
        {
            StoreFiller.FillAsync(store, 0, int.MaxValue, payload).GetAwaiter().GetResult();
            throw new InvalidOperationException("The store has no bound.");
        }
        catch (IdempotencyStoreFullException full)
        {
            var counted = Counted().Match(full.Message);
            return new StoreCount(long.Parse(counted.Groups[1].Value, CultureInfo.InvariantCulture), long.Parse(counted.Groups[2].Value, CultureInfo.InvariantCulture));
        }
    }

    [GeneratedRegex(@"(\d+) records, (\d+) bytes")]
    private static partial Regex Counted();
}

/// <summary>What a store has counted.</summary>
internal readonly record struct StoreCount(long Records, long Bytes);
