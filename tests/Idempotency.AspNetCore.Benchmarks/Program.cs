using BenchmarkDotNet.Running;
using Idempotency.AspNetCore.Benchmarks;

// "server": the whole-server comparison. Anything else goes to BenchmarkDotNet, for example --filter '*Fingerprint*'.
if (args is ["server", .. var options])
{
    await WholeServer.RunAsync(options);
}
else
{
    BenchmarkSwitcher.FromAssembly(typeof(WholeServer).Assembly).Run(args);
}
