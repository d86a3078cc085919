using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>How a client tells a first answer, a replay and an unrecorded answer apart.</summary>
public sealed class AnswerMarkTests
{
    [Fact]
    public async Task Answers_carry_the_marks_and_an_ETag()
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy());
        Assert.Equal(["Idempotent-Replayed", "Idempotency-Stored", "ETag"], operation.Headers(200));
        Assert.Equal("boolean", (string?)operation.Header(200, "Idempotent-Replayed")["schema"]!["type"]);
        Assert.True((bool)operation.Header(200, "Idempotent-Replayed")["example"]!);
        Assert.False((bool)operation.Header(200, "Idempotency-Stored")["example"]!);
        Assert.NotNull(operation["responses"]!["200"]!["content"]!["application/json"]!["schema"]!["$ref"]);
    }

    [Fact]
    public async Task Every_success_and_redirect_does_and_no_error()
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy(), with: endpoint => endpoint.Produces<Payment>(201).Produces(202).Produces(303).Produces(404).Produces(500));
        foreach (var status in new[] { 201, 202, 303 })
        {
            Assert.Contains("Idempotent-Replayed", operation.Headers(status));
        }

        foreach (var status in new[] { 404, 500, 400, 409, 413, 422, 503 })
        {
            Assert.DoesNotContain("Idempotent-Replayed", operation.Headers(status));
        }
    }

    [Fact]
    public async Task The_replay_flag_is_told_and_the_schema_of_the_body_is_left_alone()
    {
        var named = await Api.OperationUnderAsync(new IdempotencyPolicy { ReplayFlagName = "again" });
        Assert.Contains("`\"again\": true`", (string?)named.Header(200, "Idempotent-Replayed")["description"], StringComparison.Ordinal);
        Assert.DoesNotContain("again", (string?)named.Header(304, "Idempotent-Replayed")["description"], StringComparison.Ordinal);

        var off = await Api.OperationUnderAsync(new IdempotencyPolicy { ReplayFlagName = null });
        Assert.DoesNotContain("JSON", (string?)off.Header(200, "Idempotent-Replayed")["description"], StringComparison.Ordinal);

        var others = await Api.OperationUnderAsync(new IdempotencyPolicy(), with: endpoint => endpoint.Produces(204).Produces<string>(200, "text/plain"));
        Assert.DoesNotContain("JSON", (string?)others.Header(204, "Idempotent-Replayed")["description"], StringComparison.Ordinal);
        Assert.DoesNotContain("JSON", (string?)others.Header(200, "Idempotent-Replayed")["description"], StringComparison.Ordinal);

        await using var api = await Api.StartAsync(app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency());
        Assert.Equal(["amount"], (await api.DocumentAsync())["components"]!["schemas"]!["Payment"]!["properties"]!.AsObject().Select(property => property.Key));
    }

    [Fact]
    public async Task Client_caching_is_told_with_the_retention()
    {
        var header = await Api.OperationUnderAsync(new IdempotencyPolicy { ClientCaching = true, Retention = TimeSpan.FromHours(1), HeaderName = "X-Key" });
        Assert.Equal("private, max-age=3600", (string?)header.Header(200, "Cache-Control")["example"]);
        Assert.Equal("X-Key", (string?)header.Header(200, "Vary")["example"]);

        var body = await Api.OperationUnderAsync(new IdempotencyPolicy { ClientCaching = true, KeySource = IdempotencyKeySource.Body });
        Assert.Contains("Cache-Control", body.Headers(200));
        Assert.DoesNotContain("Vary", body.Headers(200));
    }

    [Fact]
    public async Task Not_modified_is_an_answer_where_there_is_an_ETag_to_compare_with()
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy());
        Assert.Contains("If-None-Match", operation.Description(304), StringComparison.Ordinal);
        Assert.Contains("Idempotent-Replayed", operation.Headers(304));
        Assert.Null(operation["responses"]!["304"]!["content"]);

        Assert.DoesNotContain("304", (await Api.OperationUnderAsync(new IdempotencyPolicy { AnswerNotModified = false })).Statuses());
        var without = await Api.OperationUnderAsync(new IdempotencyPolicy { EmitETag = false });
        Assert.DoesNotContain("304", without.Statuses());
        Assert.DoesNotContain("ETag", without.Headers(200));
        Assert.DoesNotContain("304", (await Api.OperationUnderAsync(new IdempotencyPolicy { ExcludedHeaders = ["etag"] })).Statuses());
    }

    [Fact]
    public async Task Not_modified_is_no_answer_where_If_None_Match_is_a_precondition_of_the_operation()
    {
        await using var api = await Api.StartAsync(app => app.MapPut("/payments", (Payment payment) => payment).WithIdempotency());
        Assert.DoesNotContain("304", (await api.OperationAsync("/payments", "put")).Statuses());
    }

    [Theory]
    [InlineData("application/json", true)]
    [InlineData("application/vnd.payment+json", false)]
    public async Task The_flag_is_documented_where_it_is_added(string type, bool isFlagged)
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy(), with: endpoint => endpoint.Produces<Payment>(200, type));
        Assert.Equal(isFlagged, ((string)operation.Header(200, "Idempotent-Replayed")["description"]!).Contains("serverCacheHit", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_header_that_the_application_documents_stays_and_counts()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency(new IdempotencyPolicy { EmitETag = false }),
            document: options => options
                .AddOperationTransformer((operation, _, _) =>
                {
                    ((OpenApiResponse)operation.Responses!["200"]).Headers = new Dictionary<string, IOpenApiHeader> { ["etag"] = new OpenApiHeader { Description = "Own." } };
                    return Task.CompletedTask;
                })
                .AddIdempotency());
        var operation = await api.OperationAsync("/payments");
        Assert.Equal("Own.", (string?)operation.Header(200, "etag")["description"]);
        Assert.Contains("304", operation.Statuses());
    }

    [Fact]
    public async Task The_marks_are_what_the_server_sends()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency(new IdempotencyPolicy { ClientCaching = true }));
        (await api.PostAsync("/payments")).Dispose();
        using var replay = await api.PostAsync("/payments");
        var operation = await api.OperationAsync("/payments");
        foreach (var name in operation.Headers(200).Except(["Idempotency-Stored"]))
        {
            Assert.True(replay.Headers.TryGetValues(name, out var values), name);
            Assert.NotEmpty(values);
        }

        Assert.Equal("true", replay.Headers.GetValues("Idempotent-Replayed").Single());
        Assert.Contains("\"serverCacheHit\":true", await replay.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }
}
