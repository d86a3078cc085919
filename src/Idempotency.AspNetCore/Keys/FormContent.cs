using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>The content that identifies a form: everything except the antiforgery token, which changes each time a page is rendered, and the boundary of a multipart form, which changes each time it is sent.</summary>
/// <remarks>
/// The parts are used as they were sent, header by header and byte by byte, because fingerprints outlive releases. The framework's reader, which <see cref="FormFields"/> uses, parses headers into a dictionary and
/// applies the application's limits: that matches what the handler sees, but its bytes can change with the next version of the framework.
/// </remarks>
internal static class FormContent
{
    public const string UrlEncoded = "application/x-www-form-urlencoded";
    public const string Multipart = "multipart/form-data";

    // No Content-Type header can have this value, so a body as sent never equals one in parts.
    private const string InParts = Multipart + "\0parts";

    /// <summary>The content that identifies a form, or null if that is the body as sent: it is not a form, has nothing to leave out, or cannot be parsed.</summary>
    /// <returns>The replacements of the media type and the body.</returns>
    public static (string MediaType, ReadOnlyMemory<byte> Bytes)? Of(HttpContext context, RequestBody body)
    {
        var contentType = context.Request.ContentType;
        if (contentType is null)
        {
            return null;
        }

        if (contentType.StartsWith(Multipart, StringComparison.OrdinalIgnoreCase))
        {
            // A parsed form has no token any more (see RequestBody), and no boundary.
            return body.IsParsedForm ? (InParts, body.Bytes)
                : MultipartContent(contentType, body.Bytes.Span, AntiforgeryCheck.TokenFieldOf(context)) is { } parts ? (InParts, parts)
                : null;
        }

        return !body.IsParsedForm && contentType.StartsWith(UrlEncoded, StringComparison.OrdinalIgnoreCase)
            && AntiforgeryCheck.TokenFieldOf(context) is { } token && WithoutField(body.Bytes.Span, token) is { } left
            ? (contentType, left)
            : null;
    }

    private static byte[]? WithoutField(ReadOnlySpan<byte> form, string field)
    {
        var left = new List<byte>(form.Length);
        var isThere = false;
        foreach (var range in form.Split((byte)'&'))
        {
            var pair = form[range];
            var end = pair.IndexOf((byte)'=');
            if (IsNamed(end < 0 ? pair : pair[..end], field))
            {
                isThere = true;
                continue;
            }

            if (left.Count > 0)
            {
                left.Add((byte)'&');
            }

            left.AddRange(pair);
        }

        return isThere ? [.. left] : null;
    }

    private static bool IsNamed(ReadOnlySpan<byte> encoded, string field) =>
        encoded.Length >= field.Length && WebUtility.UrlDecode(Encoding.UTF8.GetString(encoded)).Equals(field, StringComparison.OrdinalIgnoreCase);

    /// <summary>The parts, each with a length prefix, without the part of the token (RFC 2046 section 5.1.1).</summary>
    private static byte[]? MultipartContent(string contentType, ReadOnlySpan<byte> body, string? token)
    {
        if (!MediaTypeHeaderValue.TryParse(contentType, out var parsed) || HeaderUtilities.RemoveQuotes(parsed.Boundary) is not { Length: > 0 } boundary)
        {
            return null;
        }

        var delimiter = Encoding.UTF8.GetBytes("\r\n--" + boundary);
        var content = new PooledBytes(body.Length + 64);
        try
        {
            // The first delimiter can be at the very start; content before it is not a part.
            var rest = body.StartsWith(delimiter.AsSpan(2)) ? body[(delimiter.Length - 2)..] : After(body, delimiter);
            while (true)
            {
                if (rest.StartsWith("--"u8))
                {
                    return content.Written.ToArray(); // content after the last part is not a part
                }

                var line = rest.IndexOf("\r\n"u8);
                if (line < 0 || rest[..line].ContainsAnyExcept((byte)' ', (byte)'\t'))
                {
                    return null;
                }

                var partAndRest = rest[line..]; // from the end of the line, where a part without headers or content ends too
                var end = partAndRest.IndexOf(delimiter);
                if (end < 0)
                {
                    return null;
                }

                var part = end < 2 ? default : partAndRest[2..end];
                if (token is null || !IsField(part, token))
                {
                    content.AddPart(part);
                }

                rest = partAndRest[(end + delimiter.Length)..];
            }
        }
        finally
        {
            content.Dispose();
        }
    }

    private static ReadOnlySpan<byte> After(ReadOnlySpan<byte> body, ReadOnlySpan<byte> delimiter)
    {
        var start = body.IndexOf(delimiter);
        return start < 0 ? default : body[(start + delimiter.Length)..];
    }

    private static bool IsField(ReadOnlySpan<byte> part, string field)
    {
        const string Disposition = "Content-Disposition:";
        var headers = part.IndexOf("\r\n\r\n"u8);
        foreach (var line in Encoding.UTF8.GetString(headers < 0 ? part : part[..headers]).Split("\r\n"))
        {
            if (line.StartsWith(Disposition, StringComparison.OrdinalIgnoreCase)
                && ContentDispositionHeaderValue.TryParse(line[Disposition.Length..], out var disposition)
                && disposition is { FileName.Length: 0, FileNameStar.Length: 0 }
                && HeaderUtilities.RemoveQuotes(disposition.Name).Equals(field, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
