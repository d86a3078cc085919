using System.Text.Json;
using Microsoft.OpenApi;

namespace Idempotency.AspNetCore;

/// <summary>One schema for an application's own response with a status and for the problems of the library with that status: an object with the members of all.</summary>
/// <remarks>
/// An <c>anyOf</c> would say more, but client generators drop it, or read one alternative alone, and generators that support several media types for a status read them only if their schemas are one. The rules:
/// 1. Every member of any is a member. 2. What all require is required. 3. A member that several have admits our value; if its types do not, it has none. 4. Of components, the result is a component too, named after them.
/// </remarks>
internal sealed class MergedSchema(OpenApiDocument? document)
{
    private const int MaxDepth = 16; // a schema that has itself for a part is no schema of an object

    /// <summary>Whether a schema is of an object, as far as can be seen: it may refer to a component that is not there (yet).</summary>
    public bool IsObject(IOpenApiSchema schema) => ObjectOf(schema, 0) is not null;

    /// <summary>Merges schemas of an application with that of our problems.</summary>
    /// <param name="own">The application's, all of objects, in the order of its media types.</param>
    public IOpenApiSchema With(IReadOnlyCollection<IOpenApiSchema> own)
    {
        var ids = own.Select(IdOf).Distinct(StringComparer.Ordinal).ToList();
        var name = document is null || ids.Contains(null) ? null : $"{ProblemSchema.Name}Or{string.Join("Or", ids)}";
        if (name is not null && document!.Components?.Schemas?.ContainsKey(name) is true)
        {
            return new OpenApiSchemaReference(name, document);
        }

        var merged = ObjectOf(ProblemSchema.Create(), 0)!;
        foreach (var schema in own)
        {
            var members = ObjectOf(schema, 0)!;
            merged = new Members(Union(members.Properties, merged.Properties), [.. members.Required.Intersect(merged.Required, StringComparer.Ordinal)]);
        }

        var result = new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Description = "The application's own response, or a request that was rejected to keep it from running twice. The latter has `code` and `retry`.",
            Required = merged.Required.Count == 0 ? null : new HashSet<string>(merged.Required, StringComparer.Ordinal),
            Properties = merged.Properties,
        };
        if (name is null)
        {
            return result;
        }

        document!.AddComponent<IOpenApiSchema>(name, result);
        return new OpenApiSchemaReference(name, document);
    }

    private static string? IdOf(IOpenApiSchema schema) => (schema as OpenApiSchemaReference)?.Reference.Id;

    private Members? ObjectOf(IOpenApiSchema schema, int depth)
    {
        if (Resolve(schema) is not { } resolved || depth == MaxDepth)
        {
            return null;
        }

        var members = new Members(new Dictionary<string, IOpenApiSchema>(resolved.Properties ?? new Dictionary<string, IOpenApiSchema>()), [.. resolved.Required ?? new HashSet<string>()]);
        var isObject = resolved.Type is { } type ? type.HasFlag(JsonSchemaType.Object) : members.Properties.Count > 0;
        if (resolved.Type is not null && !isObject)
        {
            return null;
        }

        foreach (var part in resolved.AllOf ?? [])
        {
            if (ObjectOf(part, depth + 1) is not { } more)
            {
                return null;
            }

            isObject = true;
            members = new Members(Union(members.Properties, more.Properties), [.. members.Required.Union(more.Required, StringComparer.Ordinal)]);
        }

        foreach (var alternatives in new[] { resolved.AnyOf, resolved.OneOf })
        {
            HashSet<string>? required = null;
            foreach (var alternative in (alternatives ?? []).Where(static alternative => alternative.Type != JsonSchemaType.Null))
            {
                if (ObjectOf(alternative, depth + 1) is not { } more)
                {
                    return null;
                }

                isObject = true;
                members = members with { Properties = Union(members.Properties, more.Properties) };
                required = required is null ? [.. more.Required] : [.. required.Intersect(more.Required, StringComparer.Ordinal)];
            }

            members = members with { Required = [.. members.Required.Union(required ?? [], StringComparer.Ordinal)] };
        }

        return isObject ? members : null;
    }

    private Dictionary<string, IOpenApiSchema> Union(Dictionary<string, IOpenApiSchema> first, Dictionary<string, IOpenApiSchema> second)
    {
        var union = new Dictionary<string, IOpenApiSchema>(first);
        foreach (var (name, schema) in second)
        {
            union[name] = union.TryGetValue(name, out var known) ? Both(known, schema) : schema;
        }

        return union;
    }

    /// <summary>A member that both have. What ours can be, it must be able to be: an enumeration, a pattern or a format of only one of them goes.</summary>
    private IOpenApiSchema Both(IOpenApiSchema own, IOpenApiSchema other)
    {
        var (first, second) = (Resolve(own), Resolve(other));
        if (ReferenceEquals(own, other) || (first is not null && ReferenceEquals(first, second)))
        {
            return own;
        }

        var description = first?.Description ?? second?.Description;
        if (TypeOf(first) is not { } one || TypeOf(second) is not { } two || (one & two & ~JsonSchemaType.Null) is 0)
        {
            return new OpenApiSchema { Description = description };
        }

        return new OpenApiSchema
        {
            Type = (one & two) | ((one | two) & JsonSchemaType.Null),
            Format = first!.Format == second!.Format ? first.Format : null,
            Description = description,
            Properties = first.Properties is null || second.Properties is null ? first.Properties ?? second.Properties : Union(new(first.Properties), new(second.Properties)),
            Items = first.Items ?? second.Items,
            AdditionalProperties = first.AdditionalProperties ?? second.AdditionalProperties,
        };
    }

    /// <summary>Of what type a value is that is sent. An enumeration of strings may come without its type; and a number that may be read from a string is documented as both, but written as a number.</summary>
    private static JsonSchemaType? TypeOf(IOpenApiSchema? schema) => schema switch
    {
        { Type: { } type } when (type & (JsonSchemaType.Integer | JsonSchemaType.Number)) is not 0 => type & ~JsonSchemaType.String,
        { Type: { } type } => type,
        { Enum: { Count: > 0 } values } when values.All(static value => value?.GetValueKind() is null or JsonValueKind.String or JsonValueKind.Null) => JsonSchemaType.String,
        _ => null,
    };

    // References know their targets only when the document is complete; until then the document knows them.
    private IOpenApiSchema? Resolve(IOpenApiSchema? schema)
    {
        for (var depth = 0; schema is OpenApiSchemaReference reference; depth++)
        {
            IOpenApiSchema? component = null;
            if (depth < MaxDepth && IdOf(reference) is { } id)
            {
                document?.Components?.Schemas?.TryGetValue(id, out component);
            }

            schema = reference.RecursiveTarget ?? component;
        }

        return schema;
    }

    private sealed record Members(Dictionary<string, IOpenApiSchema> Properties, HashSet<string> Required);
}
