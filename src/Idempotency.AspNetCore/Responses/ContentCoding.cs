using System.Buffers.Binary;
using System.IO.Compression;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>Removes the content coding of a recorded body (RFC 9110 section 8.4) for a client that does not accept it, because the coding was negotiated with another client.</summary>
/// <remarks>gzip, br and deflate. A body with another coding, a damaged body, or one that exceeds the limit when decoded, is replayed as recorded.</remarks>
internal static class ContentCoding
{
    /// <summary>Whether a client does not accept the coding of a response, and accepts it without a coding (RFC 9110 section 12.5.3).</summary>
    /// <param name="contentEncoding">The codings of the response.</param>
    /// <param name="vary">The <c>Vary</c> header of the response.</param>
    /// <param name="acceptEncoding">The <c>Accept-Encoding</c> header of the request.</param>
    public static bool IsRefused(StringValues contentEncoding, StringValues vary, StringValues acceptEncoding)
    {
        if (acceptEncoding.Count == 0)
        {
            // Strictly, everything is accepted then, and a handler that always encodes relies on it. A handler that negotiates sends such a client no coding, because few clients without the header can decode.
            return HeaderList.Contains(vary, HeaderNames.AcceptEncoding) || HeaderList.Contains(vary, "*");
        }

        if (!StringWithQualityHeaderValue.TryParseList(acceptEncoding, out var accepted) && !StringValues.IsNullOrEmpty(acceptEncoding))
        {
            return false; // the header is empty
        }

        accepted ??= [];
        var acceptsAll = true;
        foreach (var coding in CodingsOf(contentEncoding))
        {
            acceptsAll &= IsAccepted(accepted, coding, otherwise: false);
        }

        return !acceptsAll && IsAccepted(accepted, "identity", otherwise: true);
    }

    /// <summary>Decodes the body, or returns null if it stays as it is.</summary>
    /// <param name="body">The body.</param>
    /// <param name="contentEncoding">Its codings, in the order in which they were applied.</param>
    /// <param name="limit">The maximum decoded size in bytes, because a few encoded bytes can expand to any size.</param>
    public static ReadOnlyMemory<byte>? Decode(ReadOnlyMemory<byte> body, StringValues contentEncoding, long limit)
    {
        var decoded = body;
        foreach (var coding in CodingsOf(contentEncoding).Reverse())
        {
            var plain = coding switch
            {
                // The last four bytes are the length (RFC 1952). A file with several members fails this check and stays as it is.
                "gzip" => decoded.Length > 4 && TryDecode(decoded, limit, static encoded => new GZipStream(encoded, CompressionMode.Decompress), mayReadOn: true) is { } whole
                    && BinaryPrimitives.ReadUInt32LittleEndian(decoded.Span[^4..]) == whole.Length ? whole : null,
                "br" => TryDecode(decoded, limit, static encoded => new BrotliStream(encoded, CompressionMode.Decompress)),
                // The zlib format. Some senders use the raw format.
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

    // One decoder looks for more data after the end (mayReadOn). Others do so only when the end is missing, and then fail silently.
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
            return null; // InvalidOperationException comes from the Brotli decoder
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
        /// <summary>Whether the decoder tried to read past the end.</summary>
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
