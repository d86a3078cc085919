using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Parameters;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>All micro-benchmarks, in one table.</summary>
internal static class MicroTable
{
    public static void Run(Arguments arguments)
    {
        var page = new Page(arguments.IsWritten);

        // In this process, built already: nothing to build again or to resolve. Short iterations, or they would take half an hour; for more of
        // them leave the command out, which hands over to BenchmarkDotNet with its own defaults.
        var config = ManualConfig.CreateEmpty()
            .AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(5).WithIterationCount(15).WithIterationTime(Perfolizer.Horology.TimeInterval.FromMilliseconds(200)))
            .AddColumnProvider(BenchmarkDotNet.Columns.DefaultColumnProviders.Instance)
            .AddLogger(NullLogger.Instance)
            .WithOptions(ConfigOptions.DisableOptimizationsValidator | ConfigOptions.DisableLogFile)
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "idempotency-benchmarks"));
        var classes = typeof(MicroTable).Assembly.GetTypes().Where(type => type.IsPublic && type.Name.EndsWith("Benchmarks", StringComparison.Ordinal)).OrderBy(type => type.Name, StringComparer.Ordinal);
        var table = new Table("benchmark", "mean", "± error", "ratio", "allocated", "MB/s");
        foreach (var type in classes.Where(type => arguments.Wants(type.Name)))
        {
            Console.Error.WriteLine(type.Name);
            Add(table, BenchmarkRunner.Run(type, config));
        }

        page.Add("micro", arguments.CommandLine, table.ToString());
    }

    private static void Add(Table table, Summary summary)
    {
        if (summary.HasCriticalValidationErrors || summary.Reports.Any(report => !report.Success))
        {
            throw new InvalidOperationException($"{summary.Title} failed; run it with --filter to see why.");
        }

        var baseline = summary.Reports.FirstOrDefault(report => summary.IsBaseline(report.BenchmarkCase))?.ResultStatistics!.Mean;
        foreach (var report in summary.Reports.OrderBy(report => PlaceOf(report.BenchmarkCase.Parameters)))
        {
            var benchmark = report.BenchmarkCase;
            var mean = report.ResultStatistics!.Mean;
            var parameter = benchmark.Parameters.Count > 0 ? benchmark.Parameters[0] : null;
            var name = benchmark.Descriptor.Type.Name.Replace("Benchmarks", "", StringComparison.Ordinal) + ": " + benchmark.Descriptor.WorkloadMethod.Name;
            table.Add(
                parameter is null ? name : $"{name}, {parameter.Value}{(parameter.Value is int ? " B" : "")}",
                Time(mean),
                Time(report.ResultStatistics.ConfidenceInterval.Margin),
                baseline is null ? "" : $"{mean / baseline:F2}",
                $"{report.GcStats.GetBytesAllocatedPerOperation(benchmark)} B",
                benchmark.Descriptor.Type == typeof(FingerprintBenchmarks) ? $"{FingerprintBenchmarks.SizeOf((string)parameter!.Value) / mean * 1000:F0}" : "");
        }
    }

    /// <summary>As its parameter was declared; BenchmarkDotNet has them by the alphabet.</summary>
    private static int PlaceOf(ParameterInstances parameters) =>
        parameters.Count == 0 ? 0 : Array.IndexOf(parameters[0].Definition.Values, parameters[0].Value);

    private static string Time(double nanoseconds) => nanoseconds switch
    {
        < 1000 => $"{nanoseconds:F1} ns",
        < 1_000_000 => $"{nanoseconds / 1000:F2} µs",
        _ => $"{nanoseconds / 1_000_000:F2} ms",
    };
}
