using System.Buffers.Binary;
using System.IO.Compression;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>Takes the content coding off a recorded body (RFC 9110 section 8.4) for a client that does not accept it: it was negotiated with another one.</summary>
/// <remarks>gzip, br and deflate; another coding, a damaged body and one that is over the limit when decoded are replayed as they were recorded.</remarks>
internal static class ContentCoding
{
    /// <summary>Whether a client does not accept what a response is encoded with, and accepts it plain (RFC 9110 section 12.5.3).</summary>
    /// <param name="contentEncoding">The response's codings.</param>
    /// <param name="vary">Its <c>Vary</c>.</param>
    /// <param name="acceptEncoding">The request's header.</param>
    public static bool IsRefused(StringValues contentEncoding, StringValues vary, StringValues acceptEncoding)
    {
        if (acceptEncoding.Count == 0)
        {
            // To the letter everything is accepted then, and a handler that always encodes means it. One that negotiates sends such a client no coding: few without the header can decode.
            return HeaderList.Contains(vary, HeaderNames.AcceptEncoding) || HeaderList.Contains(vary, "*");
        }

        if (!StringWithQualityHeaderValue.TryParseList(acceptEncoding, out var accepted) && !StringValues.IsNullOrEmpty(acceptEncoding))
        {
            return false; // it says nothing
        }

        accepted ??= [];
        var acceptsAll = true;
        foreach (var coding in CodingsOf(contentEncoding))
        {
            acceptsAll &= IsAccepted(accepted, coding, otherwise: false);
        }

        return !acceptsAll && IsAccepted(accepted, "identity", otherwise: true);
    }

    /// <summary>The body without its codings, or null when it stays as it is.</summary>
    /// <param name="body">The body.</param>
    /// <param name="contentEncoding">Its codings, in the order in which they were applied.</param>
    /// <param name="limit">How many bytes it may become: a few encoded bytes can mean any number.</param>
    public static ReadOnlyMemory<byte>? Decode(ReadOnlyMemory<byte> body, StringValues contentEncoding, long limit)
    {
        var decoded = body;
        foreach (var coding in CodingsOf(contentEncoding).Reverse())
        {
            var plain = coding switch
            {
                // The last four bytes are the length (RFC 1952). A file of several members fails this, and stays as it is.
                "gzip" => decoded.Length > 4 && TryDecode(decoded, limit, static encoded => new GZipStream(encoded, CompressionMode.Decompress), mayReadOn: true) is { } whole
                    && BinaryPrimitives.ReadUInt32LittleEndian(decoded.Span[^4..]) == whole.Length ? whole : null,
                "br" => TryDecode(decoded, limit, static encoded => new BrotliStream(encoded, CompressionMode.Decompress)),
                // The zlib format; some send the bare one in it.
                "deflate" => TryDecode(decoded, limit, static encoded => new ZLibStream(encoded, CompressionMode.Decompress))
                    ?? TryDecode(decoded, limit, static encoded => new DeflateStream(encoded, CompressionMode.Decompress)),
                _ => null,
            };
            if (plain is null)
            {
                return null;
            }

            decoded = plain;
        }

        return decoded;
    }

    // One decoder looks for more after the end (mayReadOn). Others do so only when the end is missing, and pass over that in silence.
    private static byte[]? TryDecode(ReadOnlyMemory<byte> encoded, long limit, Func<Stream, Stream> open, bool mayReadOn = false)
    {
        try
        {
            using var source = new WatchedStream(encoded.ToArray());
            using var decoder = open(source);
            using var decoded = new MemoryStream();
            var block = new byte[4096];
            while (decoder.Read(block) is var read and > 0)
            {
                if (decoded.Length + read > limit)
                {
                    return null;
                }

                decoded.Write(block, 0, read);
            }

            return source.WasReadOn && !mayReadOn ? null : decoded.ToArray();
        }
        catch (Exception damaged) when (damaged is InvalidDataException or InvalidOperationException)
        {
            return null; // InvalidOperationException: what the Brotli decoder says
        }
    }

    private static IEnumerable<string> CodingsOf(StringValues contentEncoding)
    {
        foreach (var line in contentEncoding)
        {
            foreach (var name in (line ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                var coding = name.ToLowerInvariant();
                if (coding != "identity")
                {
                    yield return coding == "x-gzip" ? "gzip" : coding; // RFC 9110 section 8.4.1.3
                }
            }
        }
    }

    private static bool IsAccepted(IList<StringWithQualityHeaderValue> accepted, string coding, bool otherwise)
    {
        double? any = null;
        foreach (var one in accepted)
        {
            if (one.Value.Equals(coding, StringComparison.OrdinalIgnoreCase) || (coding == "gzip" && one.Value.Equals("x-gzip", StringComparison.OrdinalIgnoreCase)))
            {
                return one.Quality is not 0;
            }

            any = one.Value == "*" ? one.Quality ?? 1 : any;
        }

        return any is { } quality ? quality > 0 : otherwise;
    }

    private sealed class WatchedStream(byte[] bytes) : MemoryStream(bytes, writable: false)
    {
        /// <summary>Whether more was asked for than there is.</summary>
        public bool WasReadOn { get; private set; }

        public override int Read(byte[] buffer, int offset, int count)
        {
            WasReadOn |= Position == Length;
            return base.Read(buffer, offset, count);
        }

        public override int Read(Span<byte> buffer)
        {
            WasReadOn |= Position == Length;
            return base.Read(buffer);
        }
    }
}
