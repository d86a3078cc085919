using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Mvc;
using Microsoft.OpenApi;

namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>The document as a whole: every version and format of it, read back by other eyes.</summary>
public sealed class DocumentTests
{
    private static void Map(WebApplication app)
    {
        app.MapPost("/payments", (Payment payment) => payment).Produces<Payment>(201).ProducesProblem(409).ProducesValidationProblem().WithIdempotency();
        app.MapPost("/orders", (Payment payment) => payment).WithIdempotency(new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body, ClientCaching = true });
        app.MapPut("/payments/{id}", (string id, [FromHeader(Name = "Idempotency-Key")] string key, Payment payment) => payment)
            .WithIdempotency(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse });
        app.MapGet("/payments", () => new Payment(1));
        app.MapControllers();
    }

    [Theory]
    [InlineData(OpenApiSpecVersion.OpenApi3_0)]
    [InlineData(OpenApiSpecVersion.OpenApi3_1)]
    public async Task It_is_valid_in_every_version(OpenApiSpecVersion version)
    {
        await using var api = await Api.StartAsync(
            Map,
            options => options.AddPolicy("tenant", new IdempotencyPolicy()),
            services => services.AddControllers(),
            options =>
            {
                options.OpenApiVersion = version;
                options.AddIdempotency();
            });
        var read = OpenApiDocument.Parse(await api.TextAsync(), "json");
        Assert.Empty(read.Diagnostic!.Errors.Select(error => error.ToString()));
        Assert.Empty(read.Diagnostic.Warnings.Select(warning => warning.ToString()));
        Assert.Equal(version, read.Diagnostic.SpecificationVersion);

        var operation = read.Document!.Paths["/payments"].Operations![HttpMethod.Post];
        Assert.True(operation.Parameters!.Single().Required);
        var schema = operation.Responses!["422"].Content!["application/problem+json"].Schema!;
        Assert.Contains("code", schema.Properties!.Keys); // through the reference
        Assert.Equal(255, operation.Parameters!.Single().Schema!.MaxLength);
    }

    [Fact]
    public async Task Every_reference_leads_somewhere()
    {
        await using var api = await Api.StartAsync(Map, options => options.AddPolicy("tenant", new IdempotencyPolicy()), services => services.AddControllers());
        var document = await api.DocumentAsync();
        var references = new List<string>();
        Collect(document);
        Assert.Contains("#/components/schemas/IdempotencyProblem", references);
        Assert.All(references.Distinct(), reference =>
        {
            var node = (JsonNode?)document;
            foreach (var part in reference.Split('/').Skip(1))
            {
                node = node?[part];
            }

            Assert.True(node is not null, reference);
        });

        void Collect(JsonNode? node)
        {
            foreach (var child in node switch { JsonObject members => members.Select(member => member.Value), JsonArray items => items, _ => [] })
            {
                Collect(child);
            }

            if (node is JsonObject { Count: > 0 } reference && reference["$ref"] is JsonValue value)
            {
                references.Add((string)value!);
            }
        }
    }

    [Fact]
    public async Task It_comes_in_YAML_too()
    {
        await using var api = await Api.StartAsync(Map, options => options.AddPolicy("tenant", new IdempotencyPolicy()), services => services.AddControllers());
        var yaml = await api.TextAsync("/openapi/v1.yaml");
        Assert.Contains("IdempotencyProblem:", yaml, StringComparison.Ordinal);
        Assert.Contains("idempotency-key-reused:", yaml, StringComparison.Ordinal);
        Assert.Contains("urn:problem-type:idempotency-key-reused", yaml, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_the_same_every_time()
    {
        await using var api = await Api.StartAsync(Map, options => options.AddPolicy("tenant", new IdempotencyPolicy()), services => services.AddControllers());
        var first = await api.TextAsync();
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => api.TextAsync())), text => Assert.Equal(first, text));
    }
}
