namespace Idempotency.AspNetCore.NativeAot.Tests;

/// <summary>A process of the sample, and a client of it.</summary>
internal sealed class Server(ServerProcess process, int port) : IDisposable
{
    public HttpClient Client { get; } = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromMinutes(2) };

    public void Dispose()
    {
        Client.Dispose();
        process.Dispose();
    }
}
