namespace Idempotency.AspNetCore;

/// <summary>What this server does now. Counts are those of the window; a series has a number for each of its slots, the oldest first.</summary>
/// <param name="At">When these numbers were gathered.</param>
/// <param name="Server">Which server they are of.</param>
/// <param name="WatchingSince">Since when numbers are gathered.</param>
/// <param name="SlotSeconds">How long a slot of a series is.</param>
/// <param name="Total">All requests and calls.</param>
/// <param name="Sources">The busiest endpoints and functions.</param>
/// <param name="Others">All that are not listed; null when all are.</param>
/// <param name="TakenOver">Claims that were taken over.</param>
/// <param name="Lost">Claims that were lost.</param>
/// <param name="RenewalsFailed">Renewals that failed.</param>
/// <param name="Store">Store calls.</param>
/// <param name="Cache">The local cache.</param>
/// <param name="Running">Claims this process holds.</param>
internal sealed record NumbersDocument(
    DateTimeOffset At,
    string Server,
    DateTimeOffset WatchingSince,
    double SlotSeconds,
    NumbersDocument.Source Total,
    IReadOnlyList<NumbersDocument.Source> Sources,
    NumbersDocument.Source? Others,
    NumbersDocument.Counted TakenOver,
    NumbersDocument.Counted Lost,
    NumbersDocument.Counted RenewalsFailed,
    NumbersDocument.StoreCalls Store,
    NumbersDocument.LocalCache Cache,
    NumbersDocument.RunningClaims Running)
{
    public sealed record Counted(long Count, long[]? Series);

    /// <param name="Name">The endpoint or function.</param>
    /// <param name="Kind"><c>endpoint</c>, <c>function</c>, or null for several.</param>
    /// <param name="Count">How many requests or calls.</param>
    /// <param name="Outcomes">What became of them, by the names of <see cref="Idempotency.AspNetCore.Outcomes.NameOf"/>; those that there are.</param>
    /// <param name="Codes">Rejections by the code of their problem.</param>
    public sealed record Source(string? Name, string? Kind, long Count, IReadOnlyDictionary<string, Counted> Outcomes, IReadOnlyDictionary<string, long> Codes);

    public sealed record StoreCalls(Operation All, IReadOnlyList<Operation> Operations, double?[] P99Series, IReadOnlyDictionary<string, long> ErrorTypes);

    /// <summary>Store calls of an operation; quantiles in milliseconds.</summary>
    public sealed record Operation(string? Name, long Calls, long Errors, double? P50, double? P99);

    public sealed record LocalCache(long Hits, long Misses, long? Entries, long? Bytes);

    /// <param name="Count">How many there are, as the meter says.</param>
    /// <param name="Claims">Those that run longest.</param>
    public sealed record RunningClaims(long Count, IReadOnlyList<Claim> Claims);

    public sealed record Claim(string StoreKey, int Attempt, double Seconds, double LeaseSeconds, double LeaseSecondsLeft);
}
