using System.Runtime;
using System.Runtime.InteropServices;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What the figures were measured on.</summary>
internal static class Machine
{
    public static string Description =>
        $"{Environment.ProcessorCount} processors ({RuntimeInformation.ProcessArchitecture}{ModelName()}), {RuntimeInformation.FrameworkDescription}, "
        + $"{RuntimeInformation.OSDescription}, {(GCSettings.IsServerGC ? "server" : "workstation")} garbage collection.";

    private static string ModelName()
    {
        const string CpuInfo = "/proc/cpuinfo";
        var line = File.Exists(CpuInfo) ? File.ReadLines(CpuInfo).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line is null ? "" : ", " + line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
