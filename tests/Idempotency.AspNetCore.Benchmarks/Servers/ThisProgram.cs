using System.Diagnostics;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>This program, started again as a process of its own.</summary>
internal static class ThisProgram
{
    public static ProcessStartInfo With(params string[] arguments)
    {
        var program = Environment.ProcessPath!;
        var isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return new ProcessStartInfo(program, isHost ? [typeof(ThisProgram).Assembly.Location, .. arguments] : arguments);
    }

    /// <summary>Another build of it, by the path of its assembly; null for this one.</summary>
    public static ProcessStartInfo Of(string? assembly, params string[] arguments) =>
        assembly is null ? With(arguments) : new ProcessStartInfo("dotnet", [assembly, .. arguments]);

    /// <summary>Starts one that takes orders, a line each, and answers them so. It ends with this process.</summary>
    public static Process StartForOrders(ProcessStartInfo start)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = true;
        var process = Process.Start(start)!;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => End(process);
        return process;
    }

    public static void End(Process process)
    {
        if (!process.HasExited)
        {
            process.Kill();
        }
    }
}
