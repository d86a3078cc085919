using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>One connection: a request, its answer, the next request.</summary>
internal sealed class LoadConnection : IDisposable
{
    private const string KeyPlaceholder = "0000000000000000";
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly int _port;
    private readonly Traffic _traffic;
    private readonly byte[] _request;
    private readonly int _keyAt;
    private readonly byte[] _mustContain;
    private readonly byte[] _received = new byte[32 * 1024];

    public LoadConnection(int port, Traffic traffic)
    {
        _port = port;
        _traffic = traffic;
        var text = $"{traffic.Method} {traffic.Path} HTTP/1.1\r\nHost: localhost\r\n"
            + (traffic.Key == KeyKind.None ? "" : $"Idempotency-Key: {KeyPlaceholder}\r\n")
            + (traffic.Body is null ? "" : $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(traffic.Body)}\r\n")
            + "\r\n" + traffic.Body;
        _request = Encoding.UTF8.GetBytes(text);
        _keyAt = text.IndexOf(KeyPlaceholder, StringComparison.Ordinal);
        _mustContain = Encoding.UTF8.GetBytes(traffic.MustContain ?? "");
    }

    public LatencyHistogram Latencies { get; } = new();

    public Dictionary<int, long> Statuses { get; } = [];

    public long Missing { get; private set; }

    public ValueTask ConnectAsync() => _socket.ConnectAsync(IPAddress.Loopback, _port, default);

    /// <summary>Sends requests until a moment, at least one, and returns when the last is answered.</summary>
    public async Task RunAsync(long until)
    {
        Clear();
        do
        {
            await ExchangeAsync(Stopwatch.GetTimestamp());
        }
        while (Stopwatch.GetTimestamp() < until);
    }

    /// <summary>Sends a request for each moment at which one is due, or as soon after it as the one before is answered; returns when there are no more and the last is answered.</summary>
    public async Task RunAsync(ChannelReader<long> due)
    {
        Clear();
        await foreach (var moment in due.ReadAllAsync())
        {
            await ExchangeAsync(moment);
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Clear()
    {
        Latencies.Clear();
        Statuses.Clear();
        Missing = 0;
    }

    /// <param name="since">From when the latency counts: for a request that is late because the one before was slow, from the moment at which it was due.</param>
    private async ValueTask ExchangeAsync(long since)
    {
        SetKey();
        for (var sent = 0; sent < _request.Length;)
        {
            sent += await _socket.SendAsync(_request.AsMemory(sent), SocketFlags.None);
        }

        var status = await ReceiveAsync();
        Latencies.Add(Stopwatch.GetTimestamp() - since);
        Statuses[status] = Statuses.GetValueOrDefault(status) + 1;
    }

    private void SetKey()
    {
        var key = KeySequence.Next(_traffic.Key);
        for (var i = 15; i >= 0 && _keyAt >= 0; i--, key >>= 4)
        {
            _request[_keyAt + i] = (byte)"0123456789abcdef"[(int)(key & 15)];
        }
    }

    private async ValueTask<int> ReceiveAsync()
    {
        var length = 0;
        var body = 0L; // how much of the body is still to come; unknown while it is negative
        var status = 0;
        while (true)
        {
            var received = await _socket.ReceiveAsync(_received.AsMemory(length), SocketFlags.None);
            if (received == 0)
            {
                return -1; // closed: no status that anybody expects
            }

            length += received;
            if (status == 0)
            {
                var headEnd = _received.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
                if (headEnd < 0)
                {
                    continue;
                }

                status = ReadHead(_received.AsSpan(0, headEnd + 2), out var announced);
                body = announced < 0 ? -1 : announced - (length - headEnd - 4);

                // From here on only the body counts.
                _received.AsSpan(headEnd + 4, length - headEnd - 4).CopyTo(_received);
                length -= headEnd + 4;
            }
            else if (body > 0)
            {
                body -= received;
            }

            if (body == 0 || (body < 0 && _received.AsSpan(0, length).EndsWith("0\r\n\r\n"u8)))
            {
                return status;
            }

            // What came of the body is not needed, but for the last bytes, by which a chunked one ends.
            var kept = Math.Min(length, 4);
            _received.AsSpan(length - kept, kept).CopyTo(_received);
            length = kept;
        }
    }

    private int ReadHead(ReadOnlySpan<byte> head, out int announced)
    {
        if (_mustContain.Length > 0 && head.IndexOf(_mustContain) < 0)
        {
            Missing++;
        }

        var at = head.IndexOf("Content-Length: "u8);
        announced = at >= 0 && Utf8Parser.TryParse(head[(at + 16)..], out int size, out _) ? size : -1;
        return ((head[9] - '0') * 100) + ((head[10] - '0') * 10) + (head[11] - '0');
    }
}
