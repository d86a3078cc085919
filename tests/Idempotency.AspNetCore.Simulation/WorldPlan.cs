namespace Idempotency.AspNetCore.Simulation;

/// <summary>What a world is like: drawn from its seed, or written down for a small one.</summary>
internal sealed record WorldPlan
{
    public required ulong Seed { get; init; }

    public int Servers { get; init; } = 3;

    public int Clients { get; init; } = 5;

    public int OperationsPerClient { get; init; } = 12;

    public int Users { get; init; } = 2;

    public int HotKeys { get; init; } = 2;

    /// <summary>Between two requests of a client, in the middle.</summary>
    public TimeSpan ThinkTime { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a client waits for an answer.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    public required IdempotencyPolicy Policy { get; init; }

    public int LocalCacheMaxEntries { get; init; } = 1000;

    /// <summary>How much the servers' clocks may drift apart, in millionths; what is more than NTP corrects is a broken machine.</summary>
    public long Drift { get; init; } = 200;

    /// <summary>When the last fault may begin, in ticks.</summary>
    public long FaultsUntil { get; init; }

    /// <summary>Between two crashes, outages and the like, in the middle; zero for none.</summary>
    public TimeSpan DisruptionEvery { get; init; }

    // Of a million.

    public int CallFaults { get; init; }

    public int ThreadPauses { get; init; }

    public int ClientLeaves { get; init; }

    /// <summary>Requests with the key of another.</summary>
    public int Reuses { get; init; }

    /// <summary>Clients that do not retry.</summary>
    public int Dishonest { get; init; }

    /// <summary>Requests that are sent twice at once.</summary>
    public int Doubles { get; init; }

    /// <summary>Requests whose body comes in two parts.</summary>
    public int SlowBodies { get; init; }

    /// <summary>Handlers that do anything but answer at once.</summary>
    public int OddHandlers { get; init; }

    /// <summary>Requests whose handler has steps.</summary>
    public int Steps { get; init; }

    /// <summary>Keys of functions, and not of requests.</summary>
    public int Calls { get; init; }

    /// <summary>Which of the seed's faults happen, and which of its clients' operations are sent; null for all. To find the few that matter.</summary>
    public IReadOnlySet<ulong>? Faults { get; init; }

    public IReadOnlySet<ulong>? Operations { get; init; }

    /// <summary>Whether the store is the reference alone, rather than the in-memory store with the reference beside it.</summary>
    public bool IsReferenceStore { get; init; }

    /// <summary>A store with a deliberate fault in the place of the real one.</summary>
    public Func<TimeProvider, IIdempotencyStore>? FaultyStore { get; init; }

    /// <summary>The same world at a time when there were neither steps nor functions.</summary>
    public WorldPlan ThatHasNoSteps() => this with { Steps = 0, Calls = 0 };

    /// <summary>A world of a seed: kind or harsh, short leases or long, calm or not.</summary>
    public static WorldPlan Of(ulong seed)
    {
        var random = new SeededRandom(SeededRandom.Mix(seed));
        var lease = new[] { 0.3, 1, 6, 60 }[random.Below(4)];
        var isCalm = random.Below(5) == 0;
        var span = TimeSpan.FromSeconds(lease * 20);
        var operations = 8 + random.Below(10);
        var more = new SeededRandom(SeededRandom.Mix(seed ^ 0x57E9)); // of its own: a seed without them makes the world that it made before there were any
        return new WorldPlan
        {
            Seed = seed,
            Servers = 1 + random.Below(4),
            Clients = 2 + random.Below(6),
            OperationsPerClient = operations,
            Users = 1 + random.Below(2),
            HotKeys = 1 + random.Below(2),
            ThinkTime = span / operations,
            Policy = new IdempotencyPolicy
            {
                ClaimDuration = TimeSpan.FromSeconds(lease),
                Retention = TimeSpan.FromSeconds(lease * new[] { 0.5, 3, 1000 }[random.Below(3)]),
                WhenInProgress = random.Below(2) == 0 ? InProgressBehavior.Wait : InProgressBehavior.Reject,
                WaitTimeout = TimeSpan.FromSeconds(5),
                WhenAbandoned = random.Below(3) == 0 ? AbandonedBehavior.Refuse : AbandonedBehavior.TakeOver,
                WhenStoreUnavailable = random.Below(6) == 0 ? StoreUnavailableBehavior.Execute : StoreUnavailableBehavior.Reject,
                MaxResponseBodySize = 200,
                CompleteAfterDisconnect = random.Below(6) != 0,
            },
            LocalCacheMaxEntries = new[] { 0, 2, 1000 }[random.Below(3)],
            FaultsUntil = isCalm ? 0 : span.Ticks,
            DisruptionEvery = isCalm ? TimeSpan.Zero : span / (1 + random.Below(12)),
            CallFaults = isCalm ? 0 : new[] { 0, 10_000, 50_000, 150_000 }[random.Below(4)],
            ThreadPauses = isCalm ? 0 : new[] { 0, 500, 5000 }[random.Below(3)],
            ClientLeaves = isCalm ? 0 : new[] { 0, 100_000 }[random.Below(2)],
            Reuses = new[] { 0, 200_000 }[random.Below(2)],
            Dishonest = 200_000,
            Doubles = 300_000,
            SlowBodies = new[] { 0, 150_000 }[random.Below(2)],
            OddHandlers = new[] { 200_000, 600_000 }[random.Below(2)],
            IsReferenceStore = random.Below(4) == 0,
            Steps = new[] { 0, 300_000, 900_000 }[more.Below(3)],
            Calls = new[] { 0, 0, 300_000, 1_000_000 }[more.Below(4)],
        };
    }
}
