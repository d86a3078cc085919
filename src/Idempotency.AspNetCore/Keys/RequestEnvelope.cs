using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>The document that selectors are applied to.</summary>
/// <remarks>
/// <para>1. <c>body</c>: a JSON body as it is, <c>null</c> if there is none; a form as an object of its fields, each a string, or an array if a field is sent more than once, without its files; any other body as a
/// string, in base64 if it is not UTF-8. A body is JSON if its media type says so and it can be parsed (RFC 8259, at most 64 levels). 2. <c>headers</c>: names in lower case, the field lines of one
/// name joined with a comma and a space (RFC 9110 section 5.3). 3. <c>query</c>:
/// a string, or an array if a name is sent more than once. 4. <c>route</c>: the route values as strings. 5. <c>method</c> and
/// <c>path</c>, including the path base, as sent but unescaped. 6. <c>user</c>: the claims of authenticated identities by type, a string, or an array if there are several of a type.</para>
/// <para>For a function call, there is only <c>body</c>: its payload.</para>
/// </remarks>
internal static class RequestEnvelope
{
    public static FrozenSet<string> Members { get; } = FrozenSet.Create(StringComparer.Ordinal, "body", "headers", "query", "route", "method", "path", "user");

    // The depth to which System.Text.Json reads a body for a handler; the envelope around it adds one level.
    private const int MaxBodyDepth = 64;
    private static readonly JsonDocumentOptions Depth = new() { MaxDepth = MaxBodyDepth + 1 };

    /// <summary>The body alone.</summary>
    public static JsonDocument BodyOf(HttpRequest request, RequestBody body, IEnumerable<KeyValuePair<string, StringValues>>? form)
    {
        if (form is null)
        {
            return BodyOf(body.Bytes, RequestIdentity.HasJson(request, body));
        }

        using var json = new NewDocument();
        WriteAll(json.Writer, Each(form));
        return json.ToDocument();
    }

    /// <summary>The payload of a function call alone.</summary>
    public static JsonDocument BodyOf(ReadOnlyMemory<byte> payload) => BodyOf(payload, isJson: true);

    private static JsonDocument BodyOf(ReadOnlyMemory<byte> body, bool isJson)
    {
        body = WithoutMark(body);
        if (isJson && IsJson(body.Span))
        {
            return JsonDocument.Parse(body, Depth);
        }

        using var json = new NewDocument();
        WriteText(json.Writer, body.Span);
        return json.ToDocument();
    }

    /// <summary>The envelope of a request, with only the members that are read.</summary>
    public static JsonDocument Of(HttpContext context, RequestBody body, IEnumerable<KeyValuePair<string, StringValues>>? form, IReadOnlyCollection<string> members)
    {
        var request = context.Request;
        using var json = new NewDocument();
        var writer = json.Writer;
        writer.WriteStartObject();
        foreach (var member in members)
        {
            writer.WritePropertyName(member);
            switch (member)
            {
                case "body" when form is not null: WriteAll(writer, Each(form)); break;
                case "body": WriteBody(writer, body.Bytes, RequestIdentity.HasJson(request, body)); break;
                case "headers": WriteHeaders(writer, request.Headers); break;
                case "query": WriteAll(writer, Each(request.Query)); break;
                case "route": WriteAll(writer, request.RouteValues.Select(static named => (named.Key, (string?)Convert.ToString(named.Value, CultureInfo.InvariantCulture)))); break;
                case "method": WriteString(writer, request.Method); break;
                case "path": WriteString(writer, RequestIdentity.PathOf(request)); break;
                case "user": WriteAll(writer, context.User.Identities.Where(static identity => identity.IsAuthenticated).SelectMany(static identity => identity.Claims).Select(static claim => (claim.Type, (string?)claim.Value))); break;
            }
        }

        writer.WriteEndObject();
        return json.ToDocument();
    }

    /// <summary>The envelope of a function call.</summary>
    public static JsonDocument Of(ReadOnlyMemory<byte> payload)
    {
        using var json = new NewDocument();
        json.Writer.WriteStartObject();
        json.Writer.WritePropertyName("body");
        WriteBody(json.Writer, payload, isJson: true);
        json.Writer.WriteEndObject();
        return json.ToDocument();
    }

    private static void WriteBody(Utf8JsonWriter writer, ReadOnlyMemory<byte> body, bool isJson)
    {
        body = WithoutMark(body);
        if (isJson && IsJson(body.Span))
        {
            writer.WriteRawValue(body.Span, skipInputValidation: true); // it has just been validated, and numbers keep their notation
        }
        else
        {
            WriteText(writer, body.Span);
        }
    }

    private static void WriteText(Utf8JsonWriter writer, ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty)
        {
            writer.WriteNullValue();
        }
        else if (Utf8.IsValid(body))
        {
            writer.WriteStringValue(body);
        }
        else
        {
            writer.WriteBase64StringValue(body);
        }
    }

    private static void WriteHeaders(Utf8JsonWriter writer, IHeaderDictionary headers)
    {
        writer.WriteStartObject();
        foreach (var (name, lines) in headers)
        {
            writer.WritePropertyName(name.ToLowerInvariant());
            WriteString(writer, string.Join(", ", (IEnumerable<string?>)lines));
        }

        writer.WriteEndObject();
    }

    private static IEnumerable<(string Name, string? Value)> Each(IEnumerable<KeyValuePair<string, StringValues>> named) =>
        named.SelectMany(static one => one.Value, static (one, value) => (one.Key, value));

    private static void WriteAll(Utf8JsonWriter writer, IEnumerable<(string Name, string? Value)> all)
    {
        writer.WriteStartObject();
        foreach (var named in all.GroupBy(static one => one.Name, static one => one.Value, StringComparer.Ordinal))
        {
            writer.WritePropertyName(Clean(named.Key));
            var values = named.ToList();
            if (values.Count == 1)
            {
                WriteString(writer, values[0]);
                continue;
            }

            writer.WriteStartArray();
            foreach (var value in values)
            {
                WriteString(writer, value);
            }

            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private static void WriteString(Utf8JsonWriter writer, string? value) => writer.WriteStringValue(value is null ? null : Clean(value));

    // An unpaired surrogate cannot be encoded in UTF-8: the writer would reject it, and replacing all of them with the same character would make two texts equal.
    private static string Clean(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]))
            {
                if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1]))
                {
                    return "utf-16:" + Convert.ToHexStringLower(MemoryMarshal.AsBytes(text.AsSpan()));
                }

                i++;
            }
        }

        return text;
    }

    private static ReadOnlyMemory<byte> WithoutMark(ReadOnlyMemory<byte> body) => body.Span.StartsWith("\uFEFF"u8) ? body[3..] : body;

    private static bool IsJson(ReadOnlySpan<byte> body)
    {
        if (!Utf8.IsValid(body)) // the reader does not validate the content of strings
        {
            return false;
        }

        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxBodyDepth });
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private readonly struct NewDocument : IDisposable
    {
        private readonly ArrayBufferWriter<byte> _bytes;

        public NewDocument()
        {
            _bytes = new ArrayBufferWriter<byte>(512);
            Writer = new Utf8JsonWriter(_bytes, new JsonWriterOptions { SkipValidation = true, MaxDepth = MaxBodyDepth + 2 });
        }

        public Utf8JsonWriter Writer { get; }

        public JsonDocument ToDocument()
        {
            Writer.Flush();
            return JsonDocument.Parse(_bytes.WrittenMemory, Depth);
        }

        public void Dispose() => Writer.Dispose();
    }
}
