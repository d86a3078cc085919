namespace Idempotency.AspNetCore.EntityFrameworkCore.KillTests;

/// <summary>What the servers of a <see cref="CrashRun"/> are, and what its clients ask of them.</summary>
/// <param name="Settings">The servers' settings.</param>
/// <param name="Paths">The endpoints, in turn.</param>
/// <param name="Points">The points at which a request can have its process crash; those that end with <c>~</c>, a random moment later.</param>
internal sealed record CrashScenario(IReadOnlyDictionary<string, string> Settings, IReadOnlyList<string> Paths, IReadOnlyList<string> Points)
{
    /// <summary>For how many milliseconds a process lives at the most before it is killed from outside; null: none is.</summary>
    public int? LongestLife { get; init; }

    /// <summary>Where a request can have its handler throw.</summary>
    public IReadOnlyList<string> Failures { get; init; } = [];

    /// <summary>The endpoint that ends an interrupted request with an unknown outcome.</summary>
    public string? RefusingPath { get; init; }
}
