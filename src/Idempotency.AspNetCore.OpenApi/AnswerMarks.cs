using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Net.Http.Headers;
using Microsoft.OpenApi;

namespace Idempotency.AspNetCore;

/// <summary>Documents the headers that distinguish a first response, a replay and an unrecorded response, on an operation's own 2xx and 3xx; and the 304 that a replay can return.</summary>
internal static class AnswerMarks
{
    private const string NotModified = "304";

    public static void AddTo(OpenApiOperation operation, string? method, IdempotencyEndpoint endpoint)
    {
        var policy = endpoint.Policy;
        var isETagRecorded = !policy.ExcludedHeaders.Contains(HeaderNames.ETag, StringComparer.OrdinalIgnoreCase);
        var mayAnswerNotModified = false;
        foreach (var status in operation.Responses?.Keys.Where(status => status is ['2' or '3', ..] and not NotModified).ToList() ?? [])
        {
            if (operation.OwnResponse(status) is { } answer)
            {
                AddHeaders(answer, endpoint, isETagRecorded, mayBeJsonObject: status is not ("204" or "205") && MayBeJson(answer));
                // There is a tag to compare if the library creates one, or the operation documents its own.
                mayAnswerNotModified |= policy.AnswerNotModified && isETagRecorded && status[0] == '2' && answer.HasHeader(HeaderNames.ETag);
            }
        }

        // For other methods, If-None-Match is a precondition of the operation.
        if (mayAnswerNotModified && method?.ToUpperInvariant() is null or "GET" or "HEAD" or "POST" && operation.OwnResponse(NotModified) is { } notModified)
        {
            notModified.Description = Text.Join(notModified.Description, "Not modified: the response recorded for this request is the one whose `ETag` was sent in `If-None-Match`.");
            AddHeaders(notModified, endpoint, isETagRecorded, mayBeJsonObject: false);
        }
    }

    private static void AddHeaders(OpenApiResponse response, IdempotencyEndpoint endpoint, bool isETagRecorded, bool mayBeJsonObject)
    {
        var policy = endpoint.Policy;
        response.AddHeader(IdempotencyHeaders.Replayed, Flag(
            "`true`: the response is a replay of the recorded response, and nothing ran for this request."
            // Described here instead of as a property: the schema of the body is a component that operations without idempotency can share.
            + (mayBeJsonObject && policy.ReplayFlagName is { } flag ? $" A body that is a JSON object then has the member `\"{flag}\": true`." : ""),
            example: true));
        response.AddHeader(IdempotencyHeaders.Stored, Flag("`false`: the request ran, but its response could not be recorded. A retry may run it again.", example: false));
        if (policy.EmitETag && isETagRecorded)
        {
            response.AddHeader(HeaderNames.ETag, Value("The entity tag of the response: the same for the first response and each replay.", "W/\"Adxru4sfqEC9czzYT1wjPQ\""));
        }

        if (policy.ClientCaching)
        {
            response.AddHeader(HeaderNames.CacheControl, Value(
                "The client may cache the response for as long as it is recorded.",
                string.Create(CultureInfo.InvariantCulture, $"private, max-age={(long)policy.Retention.TotalSeconds}")));
            if (endpoint.VaryingHeaders.Count > 0)
            {
                response.AddHeader(HeaderNames.Vary, Value("The request headers that the response depends on.", string.Join(", ", endpoint.VaryingHeaders)));
            }
        }
    }

    /// <summary>The member is only added to <c>application/json</c>. If only other types are documented, it is not mentioned; a handler that documents none can return any type.</summary>
    private static bool MayBeJson(OpenApiResponse response) =>
        response.Content is null or { Count: 0 } || response.Content.Keys.Any(type => type.Split(';')[0].Trim().Equals("application/json", StringComparison.OrdinalIgnoreCase) || type.Contains('*', StringComparison.Ordinal));

    private static OpenApiHeader Flag(string description, bool example) => new()
    {
        Description = description,
        Schema = new OpenApiSchema { Type = JsonSchemaType.Boolean },
        Example = JsonValue.Create(example),
    };

    private static OpenApiHeader Value(string description, string example) => new()
    {
        Description = description,
        Schema = new OpenApiSchema { Type = JsonSchemaType.String },
        Example = JsonValue.Create(example),
    };
}
