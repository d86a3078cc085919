using Microsoft.OpenApi;

namespace Idempotency.AspNetCore;

/// <summary>The schema of every problem: RFC 9457 with two additional members. One component, which all operations reference.</summary>
internal static class ProblemSchema
{
    public const string Name = "IdempotencyProblem";

    /// <summary>A reference to the component, which is added when it is first needed.</summary>
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
        Description = "A request that was rejected by idempotency, as problem details (RFC 9457). The application may add members.",
        Required = new HashSet<string> { "type", "title", "status", "detail", "code", "retry" },
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["type"] = Of(JsonSchemaType.String, "Identifies the problem type, as a URI.", schema => schema.Format = "uri"),
            ["title"] = Of(JsonSchemaType.String, "A short summary of the problem. It does not change."),
            ["status"] = Of(JsonSchemaType.Integer, "The HTTP status.", schema => schema.Format = "int32"),
            ["detail"] = Of(JsonSchemaType.String, "What to do about the problem."),
            // Not an enumeration, because generated clients fail on unknown values, and a later version can add one.
            ["code"] = Of(JsonSchemaType.String, "Identifies the problem for programs. Each response lists the codes that it can have."),
            // Not an enumeration either: clients that NSwag generates for System.Text.Json cannot read "same-key" into an enumeration.
            ["retry"] = Of(JsonSchemaType.String, "What the client can do next: retry with the same key (`same-key`), send a request with a new key (`new-key`), or neither (`no`)."),
        },
    };

    private static OpenApiSchema Of(JsonSchemaType type, string description, Action<OpenApiSchema>? more = null)
    {
        var schema = new OpenApiSchema { Type = type, Description = description };
        more?.Invoke(schema);
        return schema;
    }
}
