namespace Idempotency.AspNetCore.Simulation;

/// <summary>Which fault of CoreFaults.txt is on.</summary>
internal static class CoreFault
{
    /// <summary>Its name; null for none. Tests of this assembly run one at a time.</summary>
    public static string? Current { get; set; }

    public static bool Is(string name) => Current == name;
}
