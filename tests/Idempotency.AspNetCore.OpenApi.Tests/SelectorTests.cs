using System.Text.Json.Nodes;

namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>Documents of operations whose key, or whose content that must be equal, is selected by an expression.</summary>
public sealed class SelectorTests
{
    private static async Task<JsonNode> OperationUnderAsync(IdempotencyPolicy policy)
    {
        await using var api = await StartAsync(policy);
        return await api.OperationAsync("/payments");
    }

    private static Task<Api> StartAsync(IdempotencyPolicy policy) => Api.StartAsync(
        app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency(policy),
        services: services => services.AddIdempotency().AddJmesPath());

    [Fact]
    public async Task A_selected_key_needs_no_parameter_and_its_expression_is_told()
    {
        var operation = await OperationUnderAsync(new IdempotencyPolicy { KeySelector = "[transaction_id, user_id]", ClientCaching = true });
        Assert.Null(operation["parameters"]);
        Assert.StartsWith("Requests are identified by the values that the expression `[transaction_id, user_id]` selects from them", (string?)operation["description"], StringComparison.Ordinal);
        Assert.DoesNotContain("Vary", operation.Headers(200));
        Assert.Contains("400 idempotency-key-missing", operation.Codes());
        Assert.Contains("400 idempotency-key-invalid", operation.Codes());
        Assert.DoesNotContain("header", operation.Description(400), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("[transaction_id, user_id]", (string?)operation.Examples(400)["idempotency-key-missing"]!["value"]!["detail"], StringComparison.Ordinal);
        Assert.Contains("[transaction_id, user_id]", (string?)operation.Examples(400)["idempotency-key-invalid"]!["value"]!["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_header_before_the_selection_is_optional_and_says_what_comes_without_it()
    {
        var operation = await OperationUnderAsync(new IdempotencyPolicy { KeySource = IdempotencyKeySource.HeaderOrBody, KeySelector = "transaction_id", ClientCaching = true });
        var key = operation.KeyParameter()!;
        Assert.Null(key["required"]);
        Assert.EndsWith("Without it, the request is identified by the values that the expression `transaction_id` selects from it.", (string?)key["description"], StringComparison.Ordinal);
        Assert.Contains("Vary", operation.Headers(200));
        Assert.Contains("is not valid", operation.Description(400), StringComparison.Ordinal);
        Assert.Contains("could not be extracted", operation.Description(400), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_not_required_is_not_missed()
    {
        var operation = await OperationUnderAsync(new IdempotencyPolicy { KeySelector = "transaction_id", KeyRequired = false });
        Assert.Equal(["400 idempotency-key-invalid"], operation.Codes().Where(code => code.StartsWith("400", StringComparison.Ordinal)));
        Assert.Contains("Requests from which it selects nothing run each time they are sent.", (string?)operation["description"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(RequestFingerprintMode.ExactJson)]
    [InlineData(RequestFingerprintMode.None)]
    public async Task Selected_content_is_compared_whatever_the_mode(RequestFingerprintMode mode)
    {
        var operation = await OperationUnderAsync(new IdempotencyPolicy { FingerprintSelector = "amount", Fingerprint = mode });
        Assert.Contains("422 idempotency-key-reused", operation.Codes());
        Assert.True((bool)operation.KeyParameter()!["required"]!);
        Assert.Contains("could not be extracted", operation.Description(400), StringComparison.Ordinal);

        var none = await OperationUnderAsync(new IdempotencyPolicy { KeySelector = "transaction_id", Fingerprint = RequestFingerprintMode.None });
        Assert.DoesNotContain("422 idempotency-key-reused", none.Codes());
    }

    [Theory]
    [InlineData("items[?paid == `true`].id", "``items[?paid == `true`].id``")]
    [InlineData("items[?name == 'a``b'].id", "```items[?name == 'a``b'].id```")]
    [InlineData("[?a == `1` && b == 'x``y'].c", "```[?a == `1` && b == 'x``y'].c```")]
    [InlineData("not_null(a, b) || `1`", "`` not_null(a, b) || `1` ``")]
    [InlineData("not_null(a, `1`)", "``not_null(a, `1`)``")]
    public async Task Backticks_of_an_expression_do_not_end_it(string expression, string told)
    {
        var operation = await OperationUnderAsync(new IdempotencyPolicy { KeySelector = expression });
        Assert.Contains($"the values that the expression {told} selects", (string?)operation["description"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_attribute_is_documented_as_it_works()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/payments", [Idempotent(KeySelector = "transaction_id")] (Payment payment) => payment),
            services: services => services.AddIdempotency().AddJmesPath());
        var operation = await api.OperationAsync("/payments");
        Assert.Null(operation.KeyParameter());
        Assert.Contains("`transaction_id`", (string?)operation["description"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_server_refuses_as_the_document_says()
    {
        await using var api = await StartAsync(new IdempotencyPolicy { KeySelector = "powertools_base64(id)" });
        var examples = (await api.OperationAsync("/payments")).Examples(400);
        using var missing = await api.PostAsync("/payments", key: null, """{"amount":1}""");
        using var inapplicable = await api.PostAsync("/payments", key: null, """{"amount":1,"id":"!"}""");
        foreach (var (response, code) in new[] { (missing, "idempotency-key-missing"), (inapplicable, "idempotency-key-invalid") })
        {
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
            Assert.Equal(400, (int)response.StatusCode);
            Assert.Equal(code, (string?)problem["code"]);
            Assert.Equal((string?)examples[code]!["value"]!["title"], (string?)problem["title"]);
            Assert.StartsWith((string)examples[code]!["value"]!["detail"]!, (string?)problem["detail"], StringComparison.Ordinal);
        }
    }
}
