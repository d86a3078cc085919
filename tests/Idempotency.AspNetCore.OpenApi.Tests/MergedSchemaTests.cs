using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.OpenApi;

namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>Where the application documents a response with a status that we answer with too: one schema, from which a generated client reads either.</summary>
public sealed class MergedSchemaTests
{
    private const string Name = "IdempotencyProblemOr";

    private enum Reason
    {
        SoldOut,
        Late,
    }

    private sealed record Refusal(string Message, [property: JsonConverter(typeof(JsonStringEnumConverter<Reason>))] Reason Code, int? Retry, Details Detail);

    private sealed record Details(int Left);

    [JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
    [JsonDerivedType(typeof(SoldOut), "sold-out")]
    [JsonDerivedType(typeof(Late), "late")]
    private abstract record Trouble(string Message);

    private sealed record SoldOut(string Message, int Left) : Trouble(Message);

    private sealed record Late(string Message, DateTimeOffset Since) : Trouble(Message);

    private static Task<Api> StartAsync(Action<RouteHandlerBuilder> with, OpenApiSpecVersion version = OpenApiSpecVersion.OpenApi3_1) => Api.StartAsync(
        app => with(app.MapPost("/payments", (Payment payment) => payment).WithIdempotency()),
        document: options =>
        {
            options.OpenApiVersion = version;
            options.AddIdempotency();
        });

    private static async Task<JsonObject> ComponentAsync(Api api, string name) => (await api.DocumentAsync())["components"]!["schemas"]![name]!.AsObject();

    private static string[] Types(JsonNode schema) => schema["type"] switch { JsonArray several => [.. several.Select(type => (string)type!).Order(StringComparer.Ordinal)], { } one => [(string)one!], _ => [] };

    [Fact]
    public async Task It_has_the_members_of_both_and_requires_what_both_do()
    {
        await using var api = await StartAsync(endpoint => endpoint.ProducesValidationProblem());
        Assert.Equal($"#/components/schemas/{Name}HttpValidationProblemDetails", (await api.OperationAsync("/payments")).Schema(400));
        var merged = await ComponentAsync(api, Name + "HttpValidationProblemDetails");
        Assert.Equal("object", (string?)merged["type"]);
        Assert.Equal(["type", "title", "status", "detail", "instance", "errors", "code", "retry"], merged["properties"]!.AsObject().Select(property => property.Key));
        Assert.DoesNotContain("required", merged); // the application's problem requires nothing
        Assert.Equal(["null", "string"], Types(merged["properties"]!["title"]!));
        Assert.Equal(["integer", "null"], Types(merged["properties"]!["status"]!)); // what the application may write as a string, we do not
        Assert.Equal(["string"], Types(merged["properties"]!["code"]!));
        Assert.Equal("object", (string?)merged["properties"]!["errors"]!["type"]);
        Assert.All(["anyOf", "oneOf", "allOf"], composition => Assert.DoesNotContain(composition, merged));
    }

    [Fact]
    public async Task A_member_that_both_have_admits_both()
    {
        await using var api = await StartAsync(endpoint => endpoint.Produces<Refusal>(409));
        var operation = await api.OperationAsync("/payments");
        Assert.Equal((operation.Schema(409), operation.Schema(409)), (operation.Schema(409, "application/json"), $"#/components/schemas/{Name}Refusal"));
        var merged = await ComponentAsync(api, Name + "Refusal");
        var members = merged["properties"]!;
        Assert.Equal(["string"], Types(members["code"]!));
        Assert.DoesNotContain("enum", members["code"]!.AsObject()); // ours is none of its values
        Assert.Empty(Types(members["retry"]!)); // a number there, a string here
        Assert.Empty(Types(members["detail"]!)); // an object there, a string here
        Assert.Equal(["code", "detail", "retry"], merged["required"]!.AsArray().Select(name => (string)name!).Order(StringComparer.Ordinal));
        Assert.Equal(["message", "code", "retry", "detail"], (await ComponentAsync(api, "Refusal"))["properties"]!.AsObject().Select(property => property.Key)); // the application's own is as it was
    }

    [Fact]
    public async Task Alternatives_are_merged_too()
    {
        await using var api = await StartAsync(endpoint => endpoint.Produces<Trouble>(409));
        var merged = await ComponentAsync(api, (await api.OperationAsync("/payments")).Schema(409)!.Split('/')[^1]);
        Assert.Superset(new HashSet<string> { "kind", "message", "left", "since", "code", "retry" }, merged["properties"]!.AsObject().Select(property => property.Key).ToHashSet());
    }

    [Fact]
    public async Task Several_responses_of_the_application_are_one_with_ours()
    {
        await using var api = await StartAsync(endpoint => endpoint.Produces<Payment>(409).ProducesProblem(409));
        var operation = await api.OperationAsync("/payments");
        var schemas = operation["responses"]!["409"]!["content"]!.AsObject().Select(content => operation.Schema(409, content.Key)).Distinct();
        var merged = await ComponentAsync(api, Assert.Single(schemas)!.Split('/')[^1]);
        Assert.Superset(new HashSet<string> { "title", "code", "retry" }, merged["properties"]!.AsObject().Select(property => property.Key).ToHashSet());
    }

    [Theory]
    [InlineData(OpenApiSpecVersion.OpenApi3_0)]
    [InlineData(OpenApiSpecVersion.OpenApi3_1)]
    public async Task One_component_serves_all_operations_and_is_valid(OpenApiSpecVersion version)
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/one", (Payment payment) => payment).ProducesValidationProblem().Produces<Refusal>(409).Produces<Trouble>(422).WithIdempotency();
                app.MapPost("/two", (Payment payment) => payment).ProducesValidationProblem().Produces<Refusal>(409).Produces<Trouble>(422).WithIdempotency();
                app.MapPost("/plain", (Payment payment) => payment).ProducesValidationProblem().Produces<Refusal>(409);
            },
            document: options =>
            {
                options.OpenApiVersion = version;
                options.AddIdempotency();
            });
        var (one, two, plain) = (await api.OperationAsync("/one"), await api.OperationAsync("/two"), await api.OperationAsync("/plain"));
        Assert.All([400, 409, 422], status => Assert.Equal(one.Schema(status), two.Schema(status)));
        Assert.Equal("#/components/schemas/Refusal", plain.Schema(409, "application/json"));
        Assert.Equal("#/components/schemas/HttpValidationProblemDetails", plain.Schema(400));
        var read = OpenApiDocument.Parse(await api.TextAsync(), "json");
        Assert.Empty(read.Diagnostic!.Errors.Concat(read.Diagnostic.Warnings).Select(error => error.ToString()));
        Assert.Contains("retry", read.Document!.Paths["/one"].Operations![HttpMethod.Post].Responses!["400"].Content!["application/problem+json"].Schema!.Properties!.Keys);
    }

    [Fact]
    public async Task What_is_no_object_stays_beside_ours()
    {
        await using var api = await StartAsync(endpoint => endpoint.Produces<string>(409, "text/plain").Produces<int[]>(400));
        var operation = await api.OperationAsync("/payments");
        Assert.Equal("string", (string?)operation["responses"]!["409"]!["content"]!["text/plain"]!["schema"]!["type"]);
        Assert.Equal("#/components/schemas/IdempotencyProblem", operation.Schema(409));
        Assert.Equal("array", (string?)operation["responses"]!["400"]!["content"]!["application/json"]!["schema"]!["type"]);
        Assert.Equal("#/components/schemas/IdempotencyProblem", operation.Schema(400));
    }

    [Fact]
    public async Task An_action_documents_every_type_of_JSON_and_all_of_them_are_merged()
    {
        await using var api = await Api.StartAsync(app => app.MapControllers(), options => options.AddPolicy("tenant", new IdempotencyPolicy()), services => services.AddControllers());
        var operation = await api.OperationAsync("/merged");
        var content = operation["responses"]!["409"]!["content"]!.AsObject();
        Assert.True(content.Count > 1, content.ToJsonString());
        Assert.All(content, media => Assert.Equal($"#/components/schemas/{Name}ProblemDetails", operation.Schema(409, media.Key)));
    }
}

[ApiController]
[Route("merged")]
public sealed class MergedController : ControllerBase
{
    [HttpPost]
    [Idempotent]
    [ProducesResponseType<ProblemDetails>(409)]
    public ActionResult<int> Post() => 1;
}
