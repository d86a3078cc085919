using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A server in a process of its own, as it would be deployed. Started when it is first needed, also after <see cref="Stop"/>.</summary>
/// <remarks>
/// Two in one process are not two servers: they share a collector, which follows the records of one while it cleans up after the other, and what the just-in-time
/// compiler has learnt. It compiles a call for the type that it has seen most there, so whichever of two servers it met second ran code that was made for the other.
/// </remarks>
/// <param name="spec">What it is.</param>
/// <param name="assembly">The build of this program whose server it is; null for the one that runs.</param>
internal sealed class ServerProcess(ServerSpec spec, string? assembly = null) : IDisposable
{
    private Process? _process;
    private int _port;

    public async ValueTask<int> PortAsync()
    {
        if (_process is null)
        {
            _process = ThisProgram.StartForOrders(ThisProgram.Of(assembly, "serve", JsonSerializer.Serialize(spec)));
            _port = int.Parse(await ReadLineAsync(), CultureInfo.InvariantCulture);
        }

        return _port;
    }

    /// <summary>Asks what only the process itself can know.</summary>
    public async Task<T> AskAsync<T>(ServerQuestion question)
    {
        await PortAsync();
        await _process!.StandardInput.WriteLineAsync($"{question}");
        return JsonSerializer.Deserialize<T>(await ReadLineAsync())!;
    }

    /// <summary>Ends the process. The next request goes to a new one.</summary>
    public void Stop()
    {
        if (_process is not null)
        {
            ThisProgram.End(_process);
            _process = null;
        }
    }

    public void Dispose() => Stop();

    private async Task<string> ReadLineAsync() => await _process!.StandardOutput.ReadLineAsync()
        ?? throw new InvalidOperationException("The process of a server ended; see what it wrote above.");
}
