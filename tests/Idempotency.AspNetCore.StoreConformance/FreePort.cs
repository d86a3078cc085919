using System.Net;
using System.Net.Sockets;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A port of this machine that nobody listens on.</summary>
public static class FreePort
{
    /// <summary>Asks the system for one.</summary>
    public static int Next()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
