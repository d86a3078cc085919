using System.Text.Json;

namespace Idempotency.Http;

/// <summary>The members of a problem (RFC 9457) that determine what the client can do.</summary>
/// <param name="Code">The <c>code</c>, or the end of the <c>type</c>.</param>
/// <param name="Retry">The server's advice: <c>same-key</c>, <c>new-key</c> or <c>no</c>.</param>
internal readonly record struct Problem(string? Code, string? Retry)
{
    /// <summary>The maximum size of a problem. Longer bodies are not from the library, and are not buffered.</summary>
    public const int MaxSize = 64 * 1024;

    private const string TypePrefix = "urn:problem-type:";
    private const string OwnPrefix = "idempotency-";

    /// <summary>Whether it is a problem of the library: other problems may have members with the same names and a different meaning.</summary>
    public bool IsOfIdempotency => Code is not null && Code.StartsWith(OwnPrefix, StringComparison.Ordinal);

    public static bool IsAnnouncedBy(HttpContent content) =>
        string.Equals(content.Headers.ContentType?.MediaType, "application/problem+json", StringComparison.OrdinalIgnoreCase);

    /// <summary>Parses the problem; empty if it is not one.</summary>
    public static Problem Parse(ReadOnlySpan<byte> json)
    {
        string? code = null, type = null, retry = null;
        try
        {
            var reader = new Utf8JsonReader(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return default;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isCode = reader.ValueTextEquals("code"u8);
                var isType = reader.ValueTextEquals("type"u8);
                var isRetry = reader.ValueTextEquals("retry"u8);
                reader.Read();
                if (reader.TokenType != JsonTokenType.String)
                {
                    reader.Skip();
                    continue;
                }

                code = isCode ? reader.GetString() : code;
                type = isType ? reader.GetString() : type;
                retry = isRetry ? reader.GetString() : retry;
            }
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException)
        {
            return default; // the latter for unpaired surrogates
        }

        code ??= type is not null && type.StartsWith(TypePrefix, StringComparison.Ordinal) ? type[TypePrefix.Length..] : null;
        return new Problem(code, retry);
    }
}
