namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A server that is asked for.</summary>
internal sealed record ServerSpec
{
    /// <summary>Whether it has the library. One without is a baseline.</summary>
    public required bool IsProtected { get; init; }

    /// <summary>Whether one without has the framework's output cache, and an endpoint that it caches.</summary>
    public bool HasOutputCache { get; init; }

    /// <summary>Whether one without has <see cref="BareBones"/> in front of its endpoints.</summary>
    public bool HasBareBones { get; init; }

    /// <summary>How many bytes the answer of "/fixed" has; 0 for the answer of the trivial handler.</summary>
    public int AnswerSize { get; init; }

    public StoreKind Store { get; init; }

    /// <summary>The port of that store's server.</summary>
    public int StorePort { get; init; }

    public bool WithoutLocalCache { get; init; }

    /// <summary>How many records are there when it starts, under keys that nobody asks for.</summary>
    public int Records { get; init; }

    public InProgressBehavior WhenInProgress { get; init; } = InProgressBehavior.Reject;

    public TimeSpan Retention { get; init; } = TimeSpan.FromHours(24);

    /// <summary>The bounds of a store in memory; 0 for its defaults.</summary>
    public int MaxRecords { get; init; }

    /// <inheritdoc cref="MaxRecords"/>
    public long MaxBytes { get; init; }
}

/// <summary>Where a server keeps its records, or, without the library, what its endpoints talk to.</summary>
internal enum StoreKind
{
    InMemory,
    Redis,
    DynamoDB,
}
