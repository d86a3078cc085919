using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Stands between a client and a server, and cuts, holds or slows the connection where a test says.</summary>
public sealed class TcpProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpClient, byte> _open = new();
    private readonly int _target;
    private readonly byte[] _counted;
    private long _requests;
    private volatile int _cutReplies;
    private volatile bool _cutsHalfway;
    private volatile bool _refuses;
    private volatile int _delay;
    private volatile int _repliesHeld;
    private volatile TaskCompletionSource? _held;
    private volatile TaskCompletionSource? _heldRequests;

    /// <summary>Starts listening.</summary>
    /// <param name="target">The server's port.</param>
    /// <param name="counted">Text that stands once in each request that <see cref="Requests"/> counts.</param>
    public TcpProxy(int target, string counted = "")
    {
        _target = target;
        _counted = Encoding.ASCII.GetBytes(counted);
        _listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>Where clients connect to.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How many requests went to the server.</summary>
    public long Requests => Interlocked.Read(ref _requests);

    /// <summary>How many replies are being held: so many connections have work done that nobody has heard of.</summary>
    public int RepliesHeld => _repliesHeld;

    /// <summary>How many replies are still to be cut.</summary>
    public int RepliesToCut => Math.Max(0, _cutReplies);

    /// <summary>The next replies are not delivered, or only their first half: the server has done its work, and the connection is cut.</summary>
    public void CutReplies(int count, bool halfway = false)
    {
        _cutsHalfway = halfway;
        _cutReplies = count;
    }

    /// <summary>Cuts all connections and refuses new ones, or takes them again.</summary>
    public void Refuse(bool refuse)
    {
        _refuses = refuse;
        if (refuse)
        {
            CutConnections();
        }
    }

    /// <summary>Replies wait this long; zero for not at all.</summary>
    public void DelayReplies(TimeSpan delay) => _delay = (int)delay.TotalMilliseconds;

    /// <summary>Replies wait until they are let through again: the server has done its work, and nobody hears of it.</summary>
    public void HoldReplies() => _held ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Lets replies through, those held back too.</summary>
    public void PassReplies()
    {
        _held?.TrySetResult();
        _held = null;
    }

    /// <summary>
    /// Requests on the connections there are wait until they are let through, however late, and whether or not the client still waits. New
    /// connections are not held.
    /// </summary>
    public void HoldRequests() => _heldRequests ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Lets requests through, those held back too.</summary>
    public void PassRequests()
    {
        _heldRequests?.TrySetResult();
        _heldRequests = null;
    }

    /// <summary>Cuts the connections there are; new ones are taken.</summary>
    public void CutConnections()
    {
        foreach (var client in _open.Keys)
        {
            client.Dispose();
        }
    }

    /// <summary>No more faults.</summary>
    public void Heal()
    {
        CutReplies(0);
        DelayReplies(TimeSpan.Zero);
        PassReplies();
        PassRequests();
        Refuse(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listener.Dispose();
        CutConnections();
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
            client.NoDelay = server.NoDelay = true; // a reply in two pieces must not wait for an acknowledgement
            _open.TryAdd(client, 0);
            if (_refuses)
            {
                return;
            }

            await server.ConnectAsync(IPAddress.Loopback, _target);
            _open.TryAdd(server, 0);
            await Task.WhenAny(CopyRequestsAsync(client, server), CopyRepliesAsync(server, client));
        }
        catch (Exception broken) when (broken is SocketException or IOException or ObjectDisposedException or InvalidOperationException)
        {
        }
        finally
        {
            client.Dispose();
            _open.TryRemove(client, out _);
            _open.TryRemove(server, out _);
        }
    }

    private async Task CopyRequestsAsync(TcpClient from, TcpClient to)
    {
        var buffer = new byte[65_536];
        var matched = 0;
        var notFor = _heldRequests;
        try
        {
            int read;
            while ((read = await from.GetStream().ReadAsync(buffer)) > 0)
            {
                if (_heldRequests is { } held && held != notFor)
                {
                    await held.Task;
                }

                if (_counted.Length > 0)
                {
                    Interlocked.Add(ref _requests, CountIn(buffer.AsSpan(0, read), ref matched));
                }

                await to.GetStream().WriteAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception broken) when (broken is SocketException or IOException or ObjectDisposedException or InvalidOperationException)
        {
        }
    }

    private async Task CopyRepliesAsync(TcpClient from, TcpClient to)
    {
        var buffer = new byte[65_536];
        try
        {
            int read;
            while ((read = await from.GetStream().ReadAsync(buffer)) > 0)
            {
                if (_delay is > 0 and var delay)
                {
                    await Task.Delay(delay);
                }

                if (_held is { } held)
                {
                    Interlocked.Increment(ref _repliesHeld);
                    await held.Task;
                    Interlocked.Decrement(ref _repliesHeld);
                }

                if (_cutReplies > 0 && Interlocked.Decrement(ref _cutReplies) >= 0)
                {
                    if (_cutsHalfway)
                    {
                        await to.GetStream().WriteAsync(buffer.AsMemory(0, read / 2));
                    }

                    return;
                }

                await to.GetStream().WriteAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception broken) when (broken is SocketException or IOException or ObjectDisposedException or InvalidOperationException)
        {
        }
    }

    /// <summary>Counts the text also where it comes in two pieces. (Its first character must not occur in it again.)</summary>
    private int CountIn(ReadOnlySpan<byte> bytes, ref int matched)
    {
        var count = 0;
        foreach (var one in bytes)
        {
            matched = one == _counted[matched] ? matched + 1 : one == _counted[0] ? 1 : 0;
            if (matched == _counted.Length)
            {
                matched = 0;
                count++;
            }
        }

        return count;
    }
}
