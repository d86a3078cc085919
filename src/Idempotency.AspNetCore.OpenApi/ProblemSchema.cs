using Microsoft.OpenApi;

namespace Idempotency.AspNetCore;

/// <summary>What every refusal looks like: RFC 9457 with two members of our own. One component, which all operations refer to.</summary>
internal static class ProblemSchema
{
    public const string Name = "IdempotencyProblem";

    /// <summary>A reference to the component, which is put there by whoever needs it first.</summary>
    public static IOpenApiSchema In(OpenApiDocument? document)
    {
        if (document is null)
        {
            return Create();
        }

        if (document.Components?.Schemas?.ContainsKey(Name) is not true)
        {
            document.AddComponent<IOpenApiSchema>(Name, Create());
        }

        return new OpenApiSchemaReference(Name, document);
    }

    /// <summary>The schema itself.</summary>
    public static OpenApiSchema Create() => new()
    {
        Type = JsonSchemaType.Object,
        Description = "A request that was refused to keep it from running twice, as problem details (RFC 9457). An application may add members of its own.",
        Required = new HashSet<string> { "type", "title", "status", "detail", "code", "retry" },
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["type"] = Of(JsonSchemaType.String, "Names the problem, as a URI.", schema => schema.Format = "uri"),
            ["title"] = Of(JsonSchemaType.String, "What happened, in words that do not change."),
            ["status"] = Of(JsonSchemaType.Integer, "The HTTP status.", schema => schema.Format = "int32"),
            ["detail"] = Of(JsonSchemaType.String, "What to do about it."),
            // Not an enumeration: generated clients fail on a value that they do not know, and a later version may have one more.
            ["code"] = Of(JsonSchemaType.String, "What happened, for programs; each response lists those that it can have."),
            // Nor this: clients that NSwag generates for System.Text.Json cannot read "same-key" into an enumeration.
            ["retry"] = Of(JsonSchemaType.String, "What makes sense next: `same-key` (the same request with the same key), `new-key` (a request with a new key) or `no` (neither)."),
        },
    };

    private static OpenApiSchema Of(JsonSchemaType type, string description, Action<OpenApiSchema>? more = null)
    {
        var schema = new OpenApiSchema { Type = type, Description = description };
        more?.Invoke(schema);
        return schema;
    }
}
