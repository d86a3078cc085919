using System.Net;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>The refusals a client can meet: which, in which form, and as the server really answers them.</summary>
public sealed class RefusalTests
{
    private static readonly string[] ByDefault =
    [
        "400 idempotency-key-missing", "400 idempotency-key-invalid",
        "409 idempotency-request-in-progress", "409 idempotency-response-unavailable",
        "413 idempotency-body-too-large",
        "422 idempotency-key-reused",
        "503 idempotency-store-unavailable",
    ];

    public static TheoryData<IdempotencyPolicy, string[], string[]> Policies() => new()
    {
        { new(), [], [] },
        { new() { KeyRequired = false }, ["400 idempotency-key-missing"], [] },
        { new() { KeySource = IdempotencyKeySource.Body }, ["400 idempotency-key-invalid"], [] },
        { new() { KeySource = IdempotencyKeySource.Body, KeyRequired = false }, ["400 idempotency-key-missing", "400 idempotency-key-invalid"], [] },
        { new() { KeySource = IdempotencyKeySource.HeaderOrBody }, [], [] },
        { new() { WhenAbandoned = AbandonedBehavior.Refuse }, [], ["409 idempotency-outcome-unknown"] },
        { new() { WhenInProgress = InProgressBehavior.Wait }, [], [] },
        { new() { AuthorizeReplay = _ => ValueTask.FromResult(true) }, [], ["403 idempotency-replay-forbidden"] },
        { new() { Fingerprint = RequestFingerprintMode.None }, ["422 idempotency-key-reused"], [] },
        { new() { Fingerprint = RequestFingerprintMode.Raw }, [], [] },
        { new() { WhenStoreUnavailable = StoreUnavailableBehavior.Execute }, [], [] },
    };

    [Theory]
    [MemberData(nameof(Policies))]
    public async Task Exactly_the_codes_that_the_policy_can_lead_to(IdempotencyPolicy policy, string[] without, string[] with)
    {
        var operation = await Api.OperationUnderAsync(policy);
        Assert.Equal(ByDefault.Except(without).Concat(with).Order(StringComparer.Ordinal), operation.Codes().Order(StringComparer.Ordinal));
        Assert.Equal(operation.Codes().Select(code => code[..3]).Concat(["200", "304"]).Distinct().Order(StringComparer.Ordinal), operation.Statuses());
    }

    [Fact]
    public async Task An_unknown_outcome_is_told_wherever_a_handler_can_mark_its_effects_or_run_steps()
    {
        static async Task<bool> TellsAsync(Delegate handler, Action<IServiceCollection>? services = null)
        {
            await using var api = await Api.StartAsync(app => app.MapPost("/payments", handler).WithIdempotency(), services: services);
            return (await api.OperationAsync("/payments")).Codes().Contains("409 idempotency-outcome-unknown");
        }

        Assert.True(await TellsAsync((IIdempotentRun run) => run.Attempt));
        Assert.True(await TellsAsync((Payment payment, IIdempotencyFeature run) => payment));
        Assert.True(await TellsAsync((HttpContext context) => 1));
        Assert.True(await TellsAsync((HttpRequest request) => 1));
        Assert.True(await TellsAsync(([AsParameters] Everything everything) => everything.Amount));
        Assert.True(await TellsAsync((Payment payment) => payment, services => services.AddHttpContextAccessor()));
        Assert.False(await TellsAsync((Payment payment, CancellationToken cancellation) => payment));

        await using var api = await Api.StartAsync(app => app.MapControllers(), options => options.AddPolicy("tenant", new IdempotencyPolicy()), services => services.AddControllers());
        var actions = (await api.DocumentAsync())["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(operation => operation.Value!)).Where(operation => operation["responses"]!["422"] is not null).ToList();
        Assert.NotEmpty(actions);
        Assert.All(actions, operation => Assert.Contains("409 idempotency-outcome-unknown", operation.Codes()));
    }

    private sealed record Everything(decimal Amount, IIdempotentRun Run);

    [Fact]
    public async Task Each_code_stands_in_the_description_of_its_response()
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse });
        foreach (var code in operation.Codes())
        {
            Assert.Contains($"`{code[4..]}`", operation.Description(int.Parse(code[..3], System.Globalization.CultureInfo.InvariantCulture)), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_is_left_of_503_when_requests_run_without_the_store()
    {
        var reject = await Api.OperationUnderAsync(new IdempotencyPolicy());
        Assert.Contains("is unavailable", reject.Description(503), StringComparison.Ordinal);
        Assert.Contains("cannot be read", reject.Description(503), StringComparison.Ordinal);
        var execute = await Api.OperationUnderAsync(new IdempotencyPolicy { WhenStoreUnavailable = StoreUnavailableBehavior.Execute });
        Assert.DoesNotContain("is unavailable", execute.Description(503), StringComparison.Ordinal);
        Assert.Contains("cannot be read", execute.Description(503), StringComparison.Ordinal);
        Assert.Contains("cannot be read", (string?)execute.Examples(503)["idempotency-store-unavailable"]!["value"]!["title"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wait_is_told_with_its_end()
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy { WhenInProgress = InProgressBehavior.Wait, WaitTimeout = TimeSpan.FromSeconds(7) });
        Assert.Contains("up to 7 seconds", operation.Description(409), StringComparison.Ordinal);
        Assert.DoesNotContain("waited", (await Api.OperationUnderAsync(new IdempotencyPolicy())).Description(409), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Retry_After_stands_where_it_is_sent()
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy());
        Assert.Equal(1, (int)operation.Header(409, "Retry-After")["example"]!);
        Assert.Equal(5, (int)operation.Header(503, "Retry-After")["example"]!);
        Assert.Equal("integer", (string?)operation.Header(503, "Retry-After")["schema"]!["type"]);
        Assert.Empty(operation.Headers(400).Concat(operation.Headers(413)).Concat(operation.Headers(422)));
    }

    [Theory]
    [InlineData("GET", false)]
    [InlineData("DELETE", false)]
    [InlineData("POST", true)]
    [InlineData("PUT", true)]
    [InlineData("PATCH", true)]
    public async Task A_body_is_too_large_only_where_a_client_would_send_one(string method, bool expected)
    {
        await using var api = await Api.StartAsync(app => app.MapMethods("/payments", [method], () => 1).WithIdempotency(new IdempotencyPolicy { Methods = [method] }));
        var operation = await api.OperationAsync("/payments", method.ToLowerInvariant());
        Assert.Equal(expected, operation.Statuses().Contains("413"));
    }

    [Fact]
    public async Task All_refer_to_one_schema_that_is_there()
    {
        await using var api = await Api.StartAsync(app =>
        {
            app.MapPost("/one", (Payment payment) => payment).WithIdempotency();
            app.MapPost("/two", (Payment payment) => payment).WithIdempotency();
        });
        var document = await api.DocumentAsync();
        foreach (var path in new[] { "/one", "/two" })
        {
            foreach (var status in new[] { 400, 409, 413, 422, 503 })
            {
                Assert.Equal("#/components/schemas/IdempotencyProblem", (string?)document["paths"]![path]!["post"]!.Problem(status)["schema"]!["$ref"]);
            }
        }

        var schema = document["components"]!["schemas"]!["IdempotencyProblem"]!;
        Assert.Equal(["type", "title", "status", "detail", "code", "retry"], schema["properties"]!.AsObject().Select(property => property.Key));
        Assert.All(schema["properties"]!.AsObject(), property => Assert.DoesNotContain("enum", property.Value!.AsObject())); // clients that are generated for System.Text.Json cannot read "same-key" into one
        Assert.All(["new-key", "no", "same-key"], value => Assert.Contains($"`{value}`", (string?)schema["properties"]!["retry"]!["description"], StringComparison.Ordinal));
    }

    // As the server really answers.

    private static IdempotencyRecord Existing(IdempotencyClaim claim, IdempotencyRecordStatus status) => new()
    {
        Status = status,
        Owner = Guid.NewGuid(),
        Attempt = 1,
        Fingerprint = claim.Fingerprint,
        Payload = status == IdempotencyRecordStatus.Completed ? new byte[] { 255, 1, 2, 3 } : [],
        LeaseRemaining = TimeSpan.Zero,
        RetentionRemaining = TimeSpan.FromHours(1),
    };

    private static async Task AssertAsDocumentedAsync(Api api, HttpResponseMessage response, HttpStatusCode status, string code)
    {
        Assert.Equal(status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!.AsObject();
        answer.Remove("traceId"); // the framework's own, different each time
        var operation = await api.OperationAsync("/payments");
        var example = operation.Examples((int)status)[code]!;
        Assert.True(JsonNode.DeepEquals(example["value"], answer), $"{example["value"]}\n{answer}");
        Assert.Equal((string?)answer["title"], (string?)example["summary"]);
        Assert.Equal(response.Headers.RetryAfter?.ToString() ?? "", operation.Headers((int)status).Contains("Retry-After") && code is not "idempotency-response-unavailable" and not "idempotency-outcome-unknown"
            ? operation.Header((int)status, "Retry-After")["example"]!.ToJsonString()
            : "");
        var schema = (await api.DocumentAsync())["components"]!["schemas"]!["IdempotencyProblem"]!;
        Assert.All(schema["required"]!.AsArray(), name => Assert.Contains((string)name!, answer));
        Assert.Contains($"`{answer["retry"]}`", (string?)schema["properties"]!["retry"]!["description"], StringComparison.Ordinal);
        response.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_examples_are_what_the_server_answers(bool problemDetailsService)
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var api = await Api.StartAsync(
            app => app.MapPost("/payments", async (Payment payment, HttpContext context) =>
            {
                if (payment.Amount == 7)
                {
                    arrived.TrySetResult();
                    await opened.Task.WaitAsync(TimeSpan.FromSeconds(30));
                }

                return payment.Amount == 8 ? Results.Text(new string('x', 200)) : Results.Ok(payment);
            }).WithIdempotency(new IdempotencyPolicy { MaxRequestBodySize = 64, MaxResponseBodySize = 100, HeaderName = "Idempotency-Key" }),
            services: services =>
            {
                if (problemDetailsService)
                {
                    services.AddProblemDetails();
                }
            });

        await AssertAsDocumentedAsync(api, await api.PostAsync("/payments", key: null), HttpStatusCode.BadRequest, "idempotency-key-missing");
        await AssertAsDocumentedAsync(api, await api.PostAsync("/payments", key: new string('x', 300)), HttpStatusCode.BadRequest, "idempotency-key-invalid");
        await AssertAsDocumentedAsync(api, await api.PostAsync("/payments", json: $$"""{"amount":1,"more":"{{new string('x', 100)}}"}"""), HttpStatusCode.RequestEntityTooLarge, "idempotency-body-too-large");

        (await api.PostAsync("/payments", "reused")).EnsureSuccessStatusCode().Dispose();
        await AssertAsDocumentedAsync(api, await api.PostAsync("/payments", "reused", """{"amount":2}"""), HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");

        (await api.PostAsync("/payments", "large", """{"amount":8}""")).EnsureSuccessStatusCode().Dispose();
        await AssertAsDocumentedAsync(api, await api.PostAsync("/payments", "large", """{"amount":8}"""), HttpStatusCode.Conflict, "idempotency-response-unavailable");

        var first = api.PostAsync("/payments", "slow", """{"amount":7}""");
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await AssertAsDocumentedAsync(api, await api.PostAsync("/payments", "slow", """{"amount":7}"""), HttpStatusCode.Conflict, "idempotency-request-in-progress");
        opened.SetResult();
        (await first).EnsureSuccessStatusCode().Dispose();
    }

    [Fact]
    public async Task So_are_those_of_a_body_that_is_missing_and_of_a_store_in_trouble()
    {
        static Task<Api> StartAsync(IdempotencyPolicy policy, Func<IdempotencyClaim, ClaimResult> answer) => Api.StartAsync(
            app => app.MapPost("/payments", (HttpContext _) => 1).WithIdempotency(policy),
            services: services => services.AddSingleton<IIdempotencyStore>(new StubStore(answer)));

        await using (var api = await StartAsync(new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body }, _ => ClaimResult.Acquired))
        {
            await AssertAsDocumentedAsync(api, await api.PostAsync("/payments", key: null, json: ""), HttpStatusCode.BadRequest, "idempotency-key-missing");
        }

        await using (var api = await StartAsync(new IdempotencyPolicy { KeySource = IdempotencyKeySource.HeaderOrBody }, _ => ClaimResult.Acquired))
        {
            await AssertAsDocumentedAsync(api, await api.PostAsync("/payments", key: null, json: ""), HttpStatusCode.BadRequest, "idempotency-key-missing");
        }

        await using (var api = await StartAsync(new IdempotencyPolicy(), _ => throw new InvalidOperationException("away")))
        {
            await AssertAsDocumentedAsync(api, await api.PostAsync("/payments"), HttpStatusCode.ServiceUnavailable, "idempotency-store-unavailable");
        }

        await using (var api = await StartAsync(new IdempotencyPolicy { WhenStoreUnavailable = StoreUnavailableBehavior.Execute }, claim => ClaimResult.Held(Existing(claim, IdempotencyRecordStatus.Completed))))
        {
            await AssertAsDocumentedAsync(api, await api.PostAsync("/payments"), HttpStatusCode.ServiceUnavailable, "idempotency-store-unavailable");
        }

        await using (var api = await StartAsync(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse }, claim => ClaimResult.Held(Existing(claim, IdempotencyRecordStatus.InProgress))))
        {
            await AssertAsDocumentedAsync(api, await api.PostAsync("/payments"), HttpStatusCode.Conflict, "idempotency-outcome-unknown");
        }
    }

    // Beside what the application documents itself.

    [Fact]
    public async Task The_applications_own_response_of_the_same_status_stays()
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy(), with: endpoint => endpoint.Produces<Payment>(409).ProducesProblem(503).ProducesValidationProblem());

        // Another media type: both have one schema, because a generated client reads one type for a status.
        Assert.Equal("#/components/schemas/IdempotencyProblemOrPayment", operation.Schema(409, "application/json"));
        Assert.Equal("#/components/schemas/IdempotencyProblemOrPayment", operation.Schema(409));
        Assert.StartsWith("Conflict\n\n", operation.Description(409), StringComparison.Ordinal);

        // The same media type.
        Assert.Equal("#/components/schemas/IdempotencyProblemOrHttpValidationProblemDetails", operation.Schema(400));
        Assert.Equal("#/components/schemas/IdempotencyProblemOrProblemDetails", operation.Schema(503));
        Assert.Equal("#/components/schemas/IdempotencyProblem", operation.Schema(422));
        Assert.Equal(ByDefault.Order(StringComparer.Ordinal), operation.Codes().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_applications_own_examples_headers_and_shared_responses_stay()
    {
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/payments", (Payment payment) => payment).ProducesProblem(409).WithIdempotency();
                app.MapPost("/plain", (Payment payment) => payment).ProducesProblem(409);
            },
            document: options => options
                .AddOperationTransformer((operation, context, _) =>
                {
                    var conflict = (OpenApiResponse)operation.Responses!["409"];
                    conflict.Content!["application/problem+json"].Example = new JsonObject { ["title"] = "Sold out." };
                    conflict.Headers = new Dictionary<string, IOpenApiHeader> { ["retry-after"] = new OpenApiHeader { Description = "Own." } };
                    context.Document!.AddComponent("Shared", new OpenApiResponse { Description = "Shared.", Headers = new Dictionary<string, IOpenApiHeader>() });
                    operation.Responses["503"] = new OpenApiResponseReference("Shared", context.Document);
                    return Task.CompletedTask;
                })
                .AddIdempotency());
        var operation = await api.OperationAsync("/payments");
        Assert.Equal(["example", "idempotency-request-in-progress", "idempotency-response-unavailable"], operation.Examples(409).Select(example => example.Key).Order(StringComparer.Ordinal));
        Assert.Equal("Sold out.", (string?)operation.Examples(409)["example"]!["value"]!["title"]);
        Assert.Null(operation.Problem(409)["example"]);
        Assert.Equal(["retry-after"], operation.Headers(409));
        Assert.StartsWith("Shared.\n\n", operation.Description(503), StringComparison.Ordinal);
        Assert.NotNull(operation.Problem(503));

        var document = await api.DocumentAsync();
        Assert.Equal("""{"description":"Shared."}""", document["components"]!["responses"]!["Shared"]!.ToJsonString());
        Assert.Equal("#/components/responses/Shared", (string?)document["paths"]!["/plain"]!["post"]!["responses"]!["503"]!["$ref"]);
    }

    [Fact]
    public async Task A_shared_response_that_is_not_there_yet_is_left_alone()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency(),
            document: options => options
                .AddOperationTransformer((operation, context, _) =>
                {
                    operation.Responses!["409"] = new OpenApiResponseReference("Later", context.Document);
                    return Task.CompletedTask;
                })
                .AddDocumentTransformer((document, _, _) =>
                {
                    document.AddComponent("Later", new OpenApiResponse { Description = "Later." });
                    return Task.CompletedTask;
                })
                .AddIdempotency());
        var operation = await api.OperationAsync("/payments");
        Assert.Equal("#/components/responses/Later", (string?)operation["responses"]!["409"]!["$ref"]);
        Assert.NotNull(operation.Problem(422));
    }

    [Fact]
    public async Task A_component_of_that_name_which_is_there_already_is_used()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency(),
            document: options => options
                .AddOperationTransformer((_, context, _) =>
                {
                    context.Document!.AddComponent<IOpenApiSchema>("IdempotencyProblem", new OpenApiSchema { Description = "Own." });
                    return Task.CompletedTask;
                })
                .AddIdempotency());
        Assert.Equal("""{"description":"Own."}""", (await api.DocumentAsync())["components"]!["schemas"]!["IdempotencyProblem"]!.ToJsonString());
        Assert.Equal("#/components/schemas/IdempotencyProblem", (string?)(await api.OperationAsync("/payments")).Problem(422)["schema"]!["$ref"]);
    }
}
