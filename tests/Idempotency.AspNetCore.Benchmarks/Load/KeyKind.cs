namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>How requests get their idempotency keys.</summary>
internal enum KeyKind
{
    /// <summary>None is sent.</summary>
    None,

    /// <summary>The same for all: replays.</summary>
    OneForAll,

    /// <summary>A fresh one for each: first executions.</summary>
    OneForEach,

    /// <summary>Each fresh one is sent <see cref="Traffic.RequestsPerKey"/> times at about the same moment: contention.</summary>
    Contended,
}
