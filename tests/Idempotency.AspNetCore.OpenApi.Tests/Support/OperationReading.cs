using System.Text.Json.Nodes;

namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>What a reader looks for in an operation.</summary>
internal static class OperationReading
{
    public static bool TakesPart(this JsonNode operation) => operation.KeyParameter() is not null && operation["responses"]!["422"] is not null;

    public static JsonObject? KeyParameter(this JsonNode operation, string name = "Idempotency-Key") =>
        (operation["parameters"]?.AsArray() ?? []).OfType<JsonObject>().SingleOrDefault(parameter =>
            (string?)parameter["in"] == "header" && name.Equals((string?)parameter["name"], StringComparison.OrdinalIgnoreCase));

    public static string[] Statuses(this JsonNode operation) => [.. operation["responses"]!.AsObject().Select(response => response.Key).Order(StringComparer.Ordinal)];

    public static JsonObject Problem(this JsonNode operation, int status) =>
        operation["responses"]![$"{status}"]!["content"]!["application/problem+json"]!.AsObject();

    /// <summary>The component that a response refers to.</summary>
    public static string? Schema(this JsonNode operation, int status, string mediaType = "application/problem+json") => (string?)operation["responses"]![$"{status}"]!["content"]![mediaType]!["schema"]!["$ref"];

    public static JsonObject Examples(this JsonNode operation, int status) => operation.Problem(status)["examples"]!.AsObject();

    /// <summary>Every code that an operation documents, as <c>status code</c>.</summary>
    public static string[] Codes(this JsonNode operation) =>
        [.. operation["responses"]!.AsObject()
            .SelectMany(response => response.Value!["content"]?["application/problem+json"]?["examples"]?.AsObject().Select(example => $"{response.Key} {example.Key}") ?? [])];

    public static string Description(this JsonNode operation, int status) => (string)operation["responses"]![$"{status}"]!["description"]!;

    public static string[] Headers(this JsonNode operation, int status) => [.. operation["responses"]![$"{status}"]!["headers"]?.AsObject().Select(header => header.Key) ?? []];

    public static JsonNode Header(this JsonNode operation, int status, string name) => operation["responses"]![$"{status}"]!["headers"]![name]!;
}
