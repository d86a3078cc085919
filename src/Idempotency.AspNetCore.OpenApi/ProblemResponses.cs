using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Microsoft.OpenApi;

namespace Idempotency.AspNetCore;

/// <summary>Documents the problems: a response for each status, with an example for each code.</summary>
internal static class ProblemResponses
{
    private const string ProblemJson = "application/problem+json";
    private const string InProgress = "idempotency-request-in-progress";

    public static void AddTo(OpenApiOperation operation, string? httpMethod, IdempotencyEndpoint endpoint, OpenApiDocument? document)
    {
        foreach (var problems in endpoint.Problems(MayHaveBody(operation, httpMethod)).GroupBy(problem => problem.Status))
        {
            if (operation.OwnResponse(problems.Key.ToString(CultureInfo.InvariantCulture)) is { } response)
            {
                Add(response, [.. problems], endpoint.Policy, document);
            }
        }
    }

    /// <summary>Whether a client would send a body. A handler can read one that its signature does not show, but not with a method that gives it no meaning (RFC 9110 section 9.3).</summary>
    private static bool MayHaveBody(OpenApiOperation operation, string? httpMethod) =>
        operation.RequestBody is not null || httpMethod is null
        || !(HttpMethods.IsGet(httpMethod) || HttpMethods.IsHead(httpMethod) || HttpMethods.IsDelete(httpMethod) || HttpMethods.IsOptions(httpMethod) || HttpMethods.IsTrace(httpMethod));

    private static void Add(OpenApiResponse response, IdempotencyProblem[] problems, IdempotencyPolicy policy, OpenApiDocument? document)
    {
        response.Description = Text.Join(response.Description, "Rejected by idempotency:\n\n" + string.Join('\n', problems.Select(problem => Describe(problem, policy))));
        if (problems.FirstOrDefault(problem => problem.RetryAfterSeconds is not null) is { RetryAfterSeconds: { } seconds } temporary)
        {
            response.AddHeader(HeaderNames.RetryAfter, new OpenApiHeader
            {
                Description = $"The number of seconds to wait before a retry. Sent with `{temporary.Code}`.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int32" },
                Example = seconds,
            });
        }

        var content = ContentOf(response);
        SetSchema(response, content, document);
        content.Examples ??= new Dictionary<string, IOpenApiExample>();
        if (content.Example is { } only)
        {
            // The two members exclude each other, so the application's single example becomes one of several.
            content.Examples.TryAdd("example", new OpenApiExample { Value = only });
            content.Example = null;
        }

        foreach (var problem in problems)
        {
            content.Examples.TryAdd(problem.Code, new OpenApiExample { Summary = problem.Title, Value = Example(problem) });
        }
    }

    /// <summary>The problem as the server writes it.</summary>
    private static JsonObject Example(IdempotencyProblem problem) => new()
    {
        ["type"] = problem.Type,
        ["title"] = problem.Title,
        ["status"] = problem.Status,
        ["detail"] = problem.Detail,
        ["code"] = problem.Code,
        ["retry"] = problem.Retry,
    };

    private static string Describe(IdempotencyProblem problem, IdempotencyPolicy policy) =>
        $"- `{problem.Code}`: {problem.Title}"
        + (policy.WhenInProgress == InProgressBehavior.Wait && problem.Code == InProgress ? $" The server waited up to {Text.Of(policy.WaitTimeout)} for its response." : "");

    private static OpenApiMediaType ContentOf(OpenApiResponse response)
    {
        response.Content ??= new Dictionary<string, OpenApiMediaType>();
        var name = response.Content.Keys.FirstOrDefault(type => type.Split(';')[0].Trim().Equals(ProblemJson, StringComparison.OrdinalIgnoreCase)) ?? ProblemJson;
        return response.Content.TryGetValue(name, out var known) ? known : response.Content[name] = new OpenApiMediaType();
    }

    /// <summary>
    /// Ours, or one schema for the application's own responses with this status and ours. All media types get it in which either may come: a generated client has one type for a status, whatever the media type.
    /// </summary>
    private static void SetSchema(OpenApiResponse response, OpenApiMediaType problem, OpenApiDocument? document)
    {
        var merging = new MergedSchema(document);
        var own = response.Content!
            .Where(static content => IsReadAsJson(content.Key)).Select(static content => content.Value)
            .Where(media => media.Schema is { } schema and not OpenApiSchemaReference { Reference.Id: ProblemSchema.Name } && merging.IsObject(schema)).ToList();
        if (problem.Schema is { } unknown and not OpenApiSchemaReference { Reference.Id: ProblemSchema.Name } && !own.Contains(problem))
        {
            problem.Schema = new OpenApiSchema { AnyOf = [unknown, ProblemSchema.In(document)] }; // it refers to a component that is not there (yet), or is no object
        }
        else if (own.Count == 0)
        {
            problem.Schema = ProblemSchema.In(document);
        }
        else
        {
            var merged = merging.With([.. own.Select(static media => media.Schema!).DistinctBy(static schema => (schema as OpenApiSchemaReference)?.Reference.Id ?? (object)schema)]);
            problem.Schema = merged;
            own.ForEach(media => media.Schema = merged);
        }
    }

    /// <summary>Whether generated clients read it as they read JSON. MVC documents the types of JSON as <c>text/plain</c> too.</summary>
    private static bool IsReadAsJson(string mediaType) => !mediaType.Contains("xml", StringComparison.OrdinalIgnoreCase);
}
