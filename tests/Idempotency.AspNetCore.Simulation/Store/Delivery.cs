namespace Idempotency.AspNetCore.Simulation;

/// <summary>What the network makes of one call.</summary>
internal readonly record struct Delivery
{
    /// <summary>How long the request takes; null when it is lost.</summary>
    public TimeSpan? Request { get; init; }

    /// <summary>How long the reply takes; null when it is lost.</summary>
    public TimeSpan? Reply { get; init; }

    /// <summary>After how long the caller is told that the connection broke, whatever became of its request; null when it is not.</summary>
    public TimeSpan? Error { get; init; }

    /// <summary>Whether the record comes back with a byte changed.</summary>
    public bool IsDamaged { get; init; }

    /// <summary>Whether the server crashes as soon as the request is sent, or has been applied.</summary>
    public bool CrashesWhenSent { get; init; }

    public bool CrashesWhenApplied { get; init; }

    /// <summary>Whether it is any other than one that works.</summary>
    public bool IsFaulty { get; init; }
}
