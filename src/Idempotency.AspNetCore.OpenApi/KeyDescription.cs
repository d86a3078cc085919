using Microsoft.OpenApi;

namespace Idempotency.AspNetCore;

/// <summary>Describes how a request is identified: by a header, or by its body.</summary>
internal static class KeyDescription
{
    /// <summary>The server accepts every value that matches the schema; the grammar is that of <see cref="IdempotencyPolicy.HeaderName"/>.</summary>
    /// <remarks>
    /// A schema validates the header as sent, which is the bare or the quoted form (the draft of the header allows only the latter, so a
    /// gateway that validates must not reject it). The 255 characters are those of the key. Applied to the header, the limit excludes quoted keys
    /// that exceed it with their quotation marks and escapes: it is slightly too strict, and never too lax.
    /// </remarks>
    public const string Pattern = """^([!#-+\-.-:<-~]([ !#-+\-.-:<-~]*[!#-+\-.-:<-~])?|"([ !#-\[\]-~]|\\["\\])+")$""";

    private const string Example = "f3b1c9d2-7c46-4f0e-9a51-2d8c6b0e4a17";

    public static void AddTo(OpenApiOperation operation, IdempotencyEndpoint endpoint)
    {
        var policy = endpoint.Policy;
        if (!endpoint.TakesKeyFromHeader)
        {
            operation.Description = Text.Join(operation.Description, $"Requests are identified by {WhatIsKey(policy, "them", "their")}: a request that is sent again within {Text.Of(policy.Retention)} receives the first response instead of running again.{Without(policy, " Requests from which it selects nothing run each time they are sent.")}{Headers(policy)}");
            return;
        }

        operation.Parameters ??= [];
        var declared = operation.Parameters.FirstOrDefault(parameter =>
            parameter.In == ParameterLocation.Header && string.Equals(parameter.Name, policy.HeaderName, StringComparison.OrdinalIgnoreCase));
        if (declared is null)
        {
            declared = new OpenApiParameter { Name = policy.HeaderName, In = ParameterLocation.Header };
            operation.Parameters.Add(declared);
        }

        // A reference is a component of the application that other operations can share.
        if (declared is OpenApiParameter parameter)
        {
            Complete(parameter, endpoint);
        }
    }

    /// <summary>Adds missing documentation. The handler's own declaration is not changed: a key that it binds as a UUID must be one.</summary>
    private static void Complete(OpenApiParameter parameter, IdempotencyEndpoint endpoint)
    {
        parameter.Required |= endpoint is { TakesKeyFromContent: false, Policy.KeyRequired: true };
        parameter.Description = Text.Join(parameter.Description, Describe(endpoint));
        if (parameter.Content is { Count: > 0 })
        {
            return;
        }

        var schema = parameter.Schema switch
        {
            null => new OpenApiSchema { Type = JsonSchemaType.String },
            OpenApiSchema { Type: JsonSchemaType.String or (JsonSchemaType.String | JsonSchemaType.Null), Format: null, Pattern: null, Enum: null or { Count: 0 } } plain => (OpenApiSchema)plain.CreateShallowCopy(),
            _ => null,
        };
        if (schema is null)
        {
            return;
        }

        schema.Type = JsonSchemaType.String; // a header that is present is never null
        schema.MinLength = Math.Max(schema.MinLength ?? 1, 1);
        schema.MaxLength = Math.Min(schema.MaxLength ?? IdempotencyEndpoint.MaxKeyLength, IdempotencyEndpoint.MaxKeyLength);
        schema.Pattern = Pattern;
        parameter.Schema = schema;
        if (parameter.Example is null && parameter.Examples is null or { Count: 0 } && Example.Length >= schema.MinLength && Example.Length <= schema.MaxLength)
        {
            parameter.Example = Example;
        }
    }

    private static string Headers(IdempotencyPolicy policy) => policy.FingerprintHeaders.Count == 0 ? "" :
        $" A retry must also carry the same {string.Join(", ", policy.FingerprintHeaders.Distinct(StringComparer.OrdinalIgnoreCase).Select(Text.Code))} as the first request.";

    private static string WhatIsKey(IdempotencyPolicy policy, string of, string their) =>
        policy.KeySelector is { } selector ? $"the values that the expression {Text.Code(selector)} selects from {of}" : $"{their} body";

    private static string Without(IdempotencyPolicy policy, string selection) => policy is { KeySelector: not null, KeyRequired: false } ? selection : "";

    private static string Describe(IdempotencyEndpoint endpoint)
    {
        var policy = endpoint.Policy;
        var without = endpoint switch
        {
            { TakesKeyFromContent: true } => $" Without it, the request is identified by {WhatIsKey(policy, "it", "its")}.{Without(policy, " If that selects nothing, the request runs each time it is sent.")}",
            { Policy.KeyRequired: false } => " Without it, the request runs each time it is sent.",
            _ => "",
        };
        return $"Identifies the operation. Send a unique value for each operation, for example a UUID, and the same value with each retry: a retry within {Text.Of(policy.Retention)} receives the first response instead of running again."
            + $" 1 to {IdempotencyEndpoint.MaxKeyLength} printable ASCII characters, bare or as a structured-field string: `abc` and `\"abc\"` are the same key.{without}{Headers(policy)}";
    }
}
