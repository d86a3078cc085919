using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A real server of this process, on a port of its own.</summary>
internal static class KestrelServer
{
    /// <returns>Its port.</returns>
    public static async Task<int> StartAsync(Action<WebApplicationBuilder> configure, Action<WebApplication> map)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        var port = FreePort();
        builder.WebHost.UseKestrel(server => server.Listen(IPAddress.Loopback, port));
        configure(builder);
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return port;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
