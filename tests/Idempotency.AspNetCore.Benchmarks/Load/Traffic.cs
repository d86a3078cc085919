namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>One kind of request.</summary>
/// <param name="Method">GET or POST.</param>
/// <param name="Path">The path.</param>
/// <param name="Body">A JSON body, or null.</param>
/// <param name="Key">How requests get their keys.</param>
/// <param name="MustContain">What the head of every answer must contain, or null: a replay that is none would be measured as one.</param>
internal sealed record Traffic(string Method, string Path, string? Body, KeyKind Key, string? MustContain = null)
{
    /// <summary>How many keys are asked for at once by contended traffic.</summary>
    public const int KeysAtOnce = 4;

    /// <summary>How often each key of contended traffic is sent.</summary>
    public const int RequestsPerKey = 16;

    public const string Replayed = "Idempotent-Replayed: true";
}
