using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>One kind of request, and where it goes.</summary>
/// <param name="Port">The server's port.</param>
/// <param name="Method">GET or POST.</param>
/// <param name="Path">The path.</param>
/// <param name="Body">A JSON body, or null.</param>
/// <param name="Key">How requests get their keys.</param>
internal sealed record Traffic(int Port, string Method, string Path, string? Body, KeyKind Key);

internal enum KeyKind
{
    None,
    OneForAll,
    OneForEach,
}

/// <summary>What a round of load saw.</summary>
internal readonly record struct Load(double RequestsPerSecond, TimeSpan Median, TimeSpan P99, long Requests, long Errors);

/// <summary>Blocking sockets on threads of their own: it allocates nothing while it runs, so what the process allocates is the server's.</summary>
internal static class LoadGenerator
{
    private static long _lastKey;

    public static Load Run(Traffic traffic, int connections, TimeSpan duration, int expectedStatus, int otherStatus = 0)
    {
        var until = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var clients = Enumerable.Range(0, connections).Select(_ => new Client(traffic, until, expectedStatus, otherStatus)).ToList();
        var threads = clients.Select(client => new Thread(client.Run, 256 * 1024)).ToList();
        var startedAt = Stopwatch.GetTimestamp();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        var elapsed = Stopwatch.GetElapsedTime(startedAt);
        var latencies = clients.SelectMany(client => client.Latencies).Order().ToArray();
        var requests = clients.Sum(client => client.Requests);
        return new Load(
            requests / elapsed.TotalSeconds,
            Percentile(latencies, 0.5),
            Percentile(latencies, 0.99),
            requests,
            clients.Sum(client => client.Errors));
    }

    private static TimeSpan Percentile(long[] sorted, double part) =>
        sorted.Length == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(0, sorted[(int)(part * (sorted.Length - 1))]);

    private sealed class Client
    {
        private const string KeyPlaceholder = "0000000000000000";
        private readonly Traffic _traffic;
        private readonly long _until;
        private readonly int _expected;
        private readonly int _other;
        private readonly byte[] _request;
        private readonly int _keyAt;
        private readonly byte[] _response = new byte[16 * 1024];
        private readonly long[] _latencies = new long[200_000];

        public Client(Traffic traffic, long until, int expected, int other)
        {
            (_traffic, _until, _expected, _other) = (traffic, until, expected, other);
            var text = $"{traffic.Method} {traffic.Path} HTTP/1.1\r\nHost: localhost\r\n"
                + (traffic.Key == KeyKind.None ? "" : $"Idempotency-Key: {KeyPlaceholder}\r\n")
                + (traffic.Body is null ? "" : $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(traffic.Body)}\r\n")
                + "\r\n" + traffic.Body;
            _request = Encoding.UTF8.GetBytes(text);
            _keyAt = text.IndexOf(KeyPlaceholder, StringComparison.Ordinal);
        }

        public long Requests { get; private set; }

        public long Errors { get; private set; }

        public IEnumerable<long> Latencies => _latencies.Take((int)Math.Min(Requests, _latencies.Length));

        public void Run()
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(IPAddress.Loopback, _traffic.Port);
            long now;
            while ((now = Stopwatch.GetTimestamp()) < _until)
            {
                SetKey();
                socket.Send(_request);
                var status = Receive(socket);
                _latencies[Requests % _latencies.Length] = Stopwatch.GetTimestamp() - now;
                Requests++;
                Errors += status == _expected || status == _other ? 0 : 1;
            }
        }

        private void SetKey()
        {
            var key = _traffic.Key == KeyKind.OneForEach ? Interlocked.Increment(ref _lastKey) : 0;
            for (var i = 15; i >= 0 && _keyAt >= 0; i--, key >>= 4)
            {
                _request[_keyAt + i] = (byte)"0123456789abcdef"[(int)(key & 15)];
            }
        }

        private int Receive(Socket socket)
        {
            var length = 0;
            while (true)
            {
                var received = socket.Receive(_response, length, _response.Length - length, SocketFlags.None);
                if (received == 0)
                {
                    return -1; // closed, or an answer that is larger than any we ask for: an error either way
                }

                length += received;
                var text = _response.AsSpan(0, length);
                var headEnd = text.IndexOf("\r\n\r\n"u8);
                if (headEnd < 0)
                {
                    continue;
                }

                var head = text[..headEnd];
                var announced = head.IndexOf("Content-Length: "u8);
                if (announced >= 0
                    ? System.Buffers.Text.Utf8Parser.TryParse(head[(announced + 16)..], out int size, out _) && length >= headEnd + 4 + size
                    : text.EndsWith("0\r\n\r\n"u8))
                {
                    return ((text[9] - '0') * 100) + ((text[10] - '0') * 10) + (text[11] - '0');
                }
            }
        }
    }
}
