using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>Identifies a request: the key of its record (the stored key), and the content that a retry must repeat (the fingerprint).</summary>
internal static class RequestIdentity
{
    // Both layouts are part of the stored format: a change needs a new first byte; otherwise, retries across a deployment would not match.
    // The content of layout 1 never changes either, except for requests that were distinguished by mistake: by the order of the query (see QueryText)
    // and by the media type of an empty body. Each of those now has the fingerprint of the one among them that was correct.
    // Bytes from 128 are those of FunctionIdentity.
    private const byte KeyVersion = 1;
    private const byte FingerprintVersion = 1;

    // A fingerprint of selected values only.
    private const byte SelectedFingerprintVersion = 2;

    // Any other fingerprint, combined with the headers that the policy names.
    private const byte HeadersFingerprintVersion = 3;

    // The form of the body. A raw body never equals a canonical one, whatever its bytes.
    private const byte Canonical = 1;
    private const byte Raw = 2;
    private const byte ParsedForm = 3;

    /// <summary>SHA-256 of the request's partition, target and key. Layout: version, tagged partition, method, path, source of the key, key; and the query when the key is the body. See
    /// <see cref="PooledBytes.AddPart(ReadOnlySpan{char})"/>.</summary>
    public static StoreKey StoreKeyOf(HttpContext context, IdempotencyPolicy policy, string key, KeyOrigin origin)
    {
        var input = new PooledBytes(512);
        try
        {
            input.Add(KeyVersion);
            CallerPartition.Append(context, policy, ref input);
            AppendTarget(context.Request.Method, PathOf(context.Request), ref input);
            AppendKey(origin, key, ref input);
            if (origin == KeyOrigin.Body)
            {
                // A client that chooses a key can choose another one for another query; a client whose body is the key cannot. If the key is selected, the expression decides whether the query counts.
                input.AddPart(QueryText.Ordered(context.Request.QueryString.Value ?? ""));
            }

            return new(Sha256Hash.Of(input.Written));
        }
        finally
        {
            input.Dispose();
        }
    }

    /// <summary>The stored key of a request with a key header that an operator describes.</summary>
    public static StoreKey StoreKeyOf(IdempotencyRecordQuery request, string key)
    {
        var input = new PooledBytes(512);
        try
        {
            input.Add(KeyVersion);
            CallerPartition.Append(request, ref input);
            AppendTarget(request.Method, request.Path, ref input);
            AppendKey(KeyOrigin.Header, key, ref input);
            return new(Sha256Hash.Of(input.Written));
        }
        finally
        {
            input.Dispose();
        }
    }

    /// <summary>The key of a request whose body is its key: the SHA-256 of its canonical JSON body in hexadecimal; if it has no canonical form, <c>raw-</c> and the SHA-256 of its bytes. Null if a form has no content that counts.</summary>
    public static string? KeyOf(HttpContext context, RequestBody body)
    {
        var content = FormContent.Of(context, body)?.Bytes ?? body.Bytes;
        return content.IsEmpty ? null : KeyOf(content.Span, HasJson(context.Request, body));
    }

    /// <summary>The same key for any content.</summary>
    public static string KeyOf(ReadOnlySpan<byte> content, bool isJson)
    {
        var input = new PooledBytes((2 * content.Length) + 64);
        try
        {
            return isJson && CanonicalJson.TryAppend(content, ref input) ? Sha256Hash.Of(input.Written).ToString() : "raw-" + Sha256Hash.Of(content);
        }
        finally
        {
            input.Dispose();
        }
    }

    /// <summary>SHA-256 of the parts that the policy's <see cref="IdempotencyPolicy.Fingerprint"/> covers. Layout: version, method, path, query, media type, content encoding, form of the body, body;
    /// for canonical JSON, without the encoding.</summary>
    /// <remarks><see cref="SeenRequest"/> compares everything that it depends on beyond the stored key.</remarks>
    public static Fingerprint FingerprintOf(HttpContext context, IdempotencyPolicy policy, RequestBody body)
    {
        if (policy.Fingerprint == RequestFingerprintMode.None)
        {
            return default;
        }

        var request = context.Request;
        var input = new PooledBytes((2 * body.Bytes.Length) + 512);
        try
        {
            input.Add(FingerprintVersion);
            AppendTarget(request.Method, PathOf(context.Request), ref input);
            input.AddPart(QueryText.Ordered(request.QueryString.Value ?? ""));

            if (body.Bytes.IsEmpty)
            {
                // An empty body is nothing, regardless of its media type. (Some clients send one with a DELETE, and their proxies remove it.)
                input.AddPart("");
                input.AddPart("");
                input.Add(Raw);
                return new(Sha256Hash.Of(input.Written));
            }

            if (policy.Fingerprint == RequestFingerprintMode.ExactJson && !body.IsParsedForm && IsJson(request.ContentType, out var mediaType))
            {
                var beforeMediaType = input.Length;
                input.AddPart(mediaType);
                input.Add(Canonical);
                if (CanonicalJson.TryAppend(body.Bytes.Span, ref input))
                {
                    return new(Sha256Hash.Of(input.Written));
                }

                input.RollBackTo(beforeMediaType);
            }

            // Parameters (a charset, a boundary) and encodings define the meaning of bytes, so they count if bytes do.
            var form = FormContent.Of(context, body);
            input.AddPart(form?.MediaType ?? request.ContentType ?? "");
            input.AddPart(request.Headers.ContentEncoding.ToString());
            input.Add(body.IsParsedForm ? ParsedForm : Raw);
            input.Add((form?.Bytes ?? body.Bytes).Span);
            return new(Sha256Hash.Of(input.Written));
        }
        finally
        {
            input.Dispose();
        }
    }

    /// <summary>The fingerprint if a selector is used. Layout: version, method, path, and the hash of the selected values, if any.</summary>
    public static Fingerprint FingerprintOfSelection(HttpContext context, string? selected)
    {
        var input = new PooledBytes(512);
        try
        {
            input.Add(SelectedFingerprintVersion);
            AppendTarget(context.Request.Method, PathOf(context.Request), ref input);
            input.AddPart(selected ?? "");
            return new(Sha256Hash.Of(input.Written));
        }
        finally
        {
            input.Dispose();
        }
    }

    /// <summary>Combines a fingerprint with request headers. Layout: version, fingerprint, then for each name: name, whether it is present, value.</summary>
    /// <param name="request">The request.</param>
    /// <param name="headers">Names in lower case and sorted, each once.</param>
    /// <param name="fingerprint">The fingerprint without them.</param>
    public static Fingerprint WithHeaders(HttpRequest request, ReadOnlySpan<string> headers, Fingerprint fingerprint)
    {
        var input = new PooledBytes(512);
        try
        {
            input.Add(HeadersFingerprintVersion);
            fingerprint.Hash.CopyTo(input.Room(Sha256Hash.Length));
            input.Advance(Sha256Hash.Length);
            foreach (var header in headers)
            {
                var isThere = request.Headers.TryGetValue(header, out var lines);
                input.AddPart(header);
                input.Add((byte)(isThere ? 1 : 0));
                // Joined as intermediaries can join them (RFC 9110 section 5.3), and as selectors see them.
                input.AddPart(lines.Count > 1 ? string.Join(", ", (IEnumerable<string?>)lines) : lines.ToString());
            }

            return new(Sha256Hash.Of(input.Written));
        }
        finally
        {
            input.Dispose();
        }
    }

    private static void AppendTarget(string method, string path, ref PooledBytes input)
    {
        input.AddPart(method);
        input.AddPart(path);
    }

    private static void AppendKey(KeyOrigin origin, string key, ref PooledBytes input)
    {
        input.Add((byte)origin);
        input.AddPart(key);
    }

    // Joined, because the position of the path base is internal to the application: to the client, it is one path.
    public static string PathOf(HttpRequest request) =>
        request.PathBase.HasValue ? request.PathBase.Value + request.Path.Value : request.Path.Value ?? "";

    /// <summary>Whether the body of a request is JSON by its media type, and available as sent.</summary>
    public static bool HasJson(HttpRequest request, RequestBody body) => !body.IsParsedForm && IsJson(request.ContentType, out _);

    /// <summary>Whether the body is JSON in UTF-8: <c>application/json</c>, <c>text/json</c> or <c>…+json</c>, with no charset but utf-8 (RFC 8259 section 8.1).</summary>
    internal static bool IsJson(string? contentType, out string mediaType)
    {
        const string Json = "application/json";
        mediaType = Json;
        if (contentType is null)
        {
            return false;
        }

        if (contentType.Equals(Json, StringComparison.OrdinalIgnoreCase) || contentType.Equals("application/json; charset=utf-8", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        if (!MediaTypeHeaderValue.TryParse(contentType, out var parsed)
            || !(parsed.SubType.Equals("json", StringComparison.OrdinalIgnoreCase) || parsed.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase))
            || (parsed.Charset.HasValue && !HeaderUtilities.RemoveQuotes(parsed.Charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase)))
        {
            return false;
        }

        // Other parameters are part of the type (RFC 9110 section 8.3.1): some applications use them for versions.
        mediaType = string.Join(';', parsed.Parameters
            .Where(parameter => !parameter.Name.Equals("charset", StringComparison.OrdinalIgnoreCase))
            .Select(parameter => $"{parameter.Name.ToString().ToLowerInvariant()}={parameter.Value}")
            .Order(StringComparer.Ordinal)
            .Prepend(parsed.MediaType.ToString().ToLowerInvariant()));
        return true;
    }
}
