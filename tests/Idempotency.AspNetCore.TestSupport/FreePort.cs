using System.Net;
using System.Net.Sockets;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Ports of this machine that nobody listens on.</summary>
/// <remarks>
/// A port that the system chooses is free for a moment only: until the server listens on it, and whenever the server is restarted, the system may give it to any outgoing connection.
/// So ports are taken from a range that systems leave alone (outgoing connections have 32768 and higher on Linux, 49152 and higher elsewhere), and in blocks: a block belongs to
/// the process that listens on its first port, so test projects that run side by side do not meet.
/// </remarks>
public static class FreePort
{
    private const int First = 15_000;
    private const int Block = 100;
    private const int Blocks = 170;

    private static readonly Lock Turn = new();
    private static readonly List<TcpListener> Owned = []; // until the process ends
    private static int _next;
    private static int _end;

    /// <summary>Another one each time.</summary>
    public static int Next()
    {
        lock (Turn)
        {
            while (true)
            {
                if (_next == _end)
                {
                    TakeBlock();
                }

                var port = _next++;
                if (TryListen(port) is { } listener)
                {
                    listener.Dispose();
                    return port;
                }
            }
        }
    }

    private static void TakeBlock()
    {
        var start = Random.Shared.Next(Blocks);
        for (var i = 0; i < Blocks; i++)
        {
            var first = First + ((start + i) % Blocks * Block);
            if (TryListen(first) is { } owner)
            {
                Owned.Add(owner);
                (_next, _end) = (first + 1, first + Block);
                return;
            }
        }

        throw new InvalidOperationException($"Every block of ports from {First} to {First + (Blocks * Block) - 1} is in use.");
    }

    private static TcpListener? TryListen(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException)
        {
            listener.Dispose();
            return null;
        }
    }
}
