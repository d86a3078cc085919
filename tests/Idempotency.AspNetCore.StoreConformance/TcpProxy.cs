using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Stands between a client and a server, and cuts or holds the connection where a test says.</summary>
public sealed class TcpProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpClient, byte> _open = new();
    private readonly int _target;
    private volatile int _cutReplies;
    private volatile bool _refuses;

    /// <summary>Starts listening.</summary>
    /// <param name="target">The server's port.</param>
    public TcpProxy(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>Where clients connect to.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The next replies are not delivered: the server has done its work, and the connection is cut.</summary>
    public void CutReplies(int count) => _cutReplies = count;

    /// <summary>Cuts all connections and refuses new ones, or takes them again.</summary>
    public void Refuse(bool refuse)
    {
        _refuses = refuse;
        if (refuse)
        {
            CutAll();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listener.Dispose();
        CutAll();
    }

    private void CutAll()
    {
        foreach (var client in _open.Keys)
        {
            client.Dispose();
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync();
                _ = ServeAsync(client);
            }
        }
        catch (Exception stopped) when (stopped is SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        try
        {
            _open.TryAdd(client, 0);
            if (_refuses)
            {
                return;
            }

            await server.ConnectAsync(IPAddress.Loopback, _target);
            _open.TryAdd(server, 0);
            await Task.WhenAny(CopyAsync(client, server, isReply: false), CopyAsync(server, client, isReply: true));
        }
        catch (Exception broken) when (broken is SocketException or IOException or ObjectDisposedException)
        {
        }
        finally
        {
            client.Dispose();
            _open.TryRemove(client, out _);
            _open.TryRemove(server, out _);
        }
    }

    private async Task CopyAsync(TcpClient from, TcpClient to, bool isReply)
    {
        var buffer = new byte[65_536];
        try
        {
            int read;
            while ((read = await from.GetStream().ReadAsync(buffer)) > 0)
            {
                if (isReply && _cutReplies > 0 && Interlocked.Decrement(ref _cutReplies) >= 0)
                {
                    return;
                }

                await to.GetStream().WriteAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception broken) when (broken is SocketException or IOException or ObjectDisposedException)
        {
        }
    }
}
