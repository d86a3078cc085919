using System.Text.Json;
using BenchmarkDotNet.Running;
using Idempotency.AspNetCore.Benchmarks;

// Each command prints its tables; with --write they also go into the README. Anything else goes to BenchmarkDotNet, for example
// --filter '*Fingerprint*'.
switch (args)
{
    case ["load"]:
        await LoadGenerator.ServeOrdersAsync();
        break;
    case ["serve", var spec]:
        ServerHost.Serve(JsonSerializer.Deserialize<ServerSpec>(spec)!);
        break;
    case ["server", .. var rest]:
        await WholeServer.RunAsync(new Arguments("server", rest));
        break;
    case ["growth", .. var rest]:
        await Growth.RunAsync(new Arguments("growth", rest));
        break;
    case ["latency", .. var rest]:
        await LatencyAdded.RunAsync(new Arguments("latency", rest));
        break;
    case ["guard", .. var rest]:
        Environment.ExitCode = await Guard.RunAsync(new Arguments("guard", rest));
        break;
    case ["micro", .. var rest]:
        MicroTable.Run(new Arguments("micro", rest));
        break;
    case ["local-cache", .. var rest]:
        LocalCacheComparison.Run(new Arguments("local-cache", rest));
        break;
    case ["results"]:
        AllResults.Write();
        break;
    default:
        BenchmarkSwitcher.FromAssembly(typeof(WholeServer).Assembly).Run(args);
        break;
}

// Servers and clients of other libraries have threads of their own.
Environment.Exit(Environment.ExitCode);
