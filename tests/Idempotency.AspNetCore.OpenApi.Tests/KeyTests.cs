using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Primitives;
using Microsoft.OpenApi;

namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>How a client is told to name its request.</summary>
public sealed class KeyTests
{
    [Fact]
    public async Task A_required_header()
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy());
        var key = operation.KeyParameter()!;
        Assert.Equal("Idempotency-Key", (string?)key["name"]);
        Assert.True((bool)key["required"]!);
        Assert.Equal("string", (string?)key["schema"]!["type"]);
        Assert.Equal(1, (int)key["schema"]!["minLength"]!);
        Assert.Equal(255, (int)key["schema"]!["maxLength"]!);
        Assert.True(Guid.TryParse((string?)key["example"], out _));
        Assert.Matches(new Regex((string)key["schema"]!["pattern"]!), (string)key["example"]!);
        Assert.Contains("24 hours", (string?)key["description"], StringComparison.Ordinal);
        Assert.Null(operation["description"]);
    }

    [Fact]
    public async Task An_optional_header_says_what_happens_without_it()
    {
        var key = (await Api.OperationUnderAsync(new IdempotencyPolicy { KeyRequired = false })).KeyParameter()!;
        Assert.Null(key["required"]);
        Assert.Contains("Without it, the request runs each time", (string?)key["description"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_header_of_another_name()
    {
        var operation = await Api.OperationUnderAsync(new IdempotencyPolicy { HeaderName = "X-Request-Key" });
        Assert.NotNull(operation.KeyParameter("X-Request-Key"));
        Assert.Null(operation.KeyParameter());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_body_as_the_key_needs_no_parameter_and_is_told(bool required)
    {
        var policy = new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body, KeyRequired = required, Retention = TimeSpan.FromDays(7) };
        var operation = await Api.OperationUnderAsync(policy, with: endpoint => endpoint.WithDescription("Orders something."));
        Assert.Null(operation["parameters"]);
        Assert.StartsWith("Orders something.\n\nRequests are identified by their body", (string?)operation["description"], StringComparison.Ordinal);
        Assert.Contains("7 days", (string?)operation["description"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_header_before_the_body_is_optional(bool required)
    {
        var key = (await Api.OperationUnderAsync(new IdempotencyPolicy { KeySource = IdempotencyKeySource.HeaderOrBody, KeyRequired = required })).KeyParameter()!;
        Assert.Null(key["required"]);
        Assert.Contains("Without it, the request is identified by its body", (string?)key["description"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_header_that_the_handler_binds_is_completed_and_not_doubled()
    {
        var operation = await Api.OperationUnderAsync(
            new IdempotencyPolicy(),
            ([FromHeader(Name = "idempotency-key")] string? key, Payment payment) => payment);
        var key = operation.KeyParameter()!;
        Assert.Equal("idempotency-key", (string?)key["name"]);
        Assert.True((bool)key["required"]!);
        Assert.Equal("string", (string?)key["schema"]!["type"]);
        Assert.Equal(255, (int)key["schema"]!["maxLength"]!);
        Assert.NotNull(key["schema"]!["pattern"]);
        Assert.NotNull(key["example"]);
        Assert.Single(operation["parameters"]!.AsArray());
    }

    [Fact]
    public async Task What_the_handler_demands_of_the_header_stands()
    {
        var operation = await Api.OperationUnderAsync(
            new IdempotencyPolicy { KeyRequired = false },
            ([FromHeader(Name = "Idempotency-Key"), System.ComponentModel.Description("Your own number.")] Guid key, Payment payment) => payment);
        var key = operation.KeyParameter()!;
        Assert.True((bool)key["required"]!);
        Assert.Equal("uuid", (string?)key["schema"]!["format"]);
        Assert.Null(key["schema"]!["pattern"]);
        Assert.StartsWith("Your own number.\n\n", (string?)key["description"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_parameter_that_operations_share_is_neither_changed_nor_doubled()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/payments", (Payment payment) => payment).WithIdempotency(),
            document: options => options
                .AddOperationTransformer((operation, context, _) =>
                {
                    context.Document!.AddComponent<IOpenApiParameter>("Key", new OpenApiParameter { Name = "Idempotency-Key", In = ParameterLocation.Header, Description = "Own." });
                    operation.Parameters = [new OpenApiParameterReference("Key", context.Document)];
                    return Task.CompletedTask;
                })
                .AddIdempotency());
        var parameters = (await api.OperationAsync("/payments"))["parameters"]!.AsArray();
        Assert.Equal("#/components/parameters/Key", (string?)Assert.Single(parameters)!["$ref"]);
        Assert.Equal("Own.", (string?)(await api.DocumentAsync())["components"]!["parameters"]!["Key"]!["description"]);
    }

    [Theory]
    [InlineData("payments-42", true)]
    [InlineData("a b", true)]
    [InlineData("\"a,b;c\"", true)]
    [InlineData("""
        "a\"b\\c"
        """, true)]
    [InlineData("", false)]
    [InlineData("\"\"", false)]
    [InlineData("a,b", false)]
    [InlineData("a;b", false)]
    [InlineData("a\"b", false)]
    [InlineData("\"a", false)]
    [InlineData("\"a\\b\"", false)]
    [InlineData("\"a\";x=1", false)]
    [InlineData("schlüssel", false)]
    public void The_pattern_takes_what_the_server_takes(string key, bool expected)
    {
        Assert.Equal(expected, IdempotencyKey.TryParse(key, out _, out _));
        Assert.Equal(expected, Regex.IsMatch(key, KeyDescription.Pattern, RegexOptions.ECMAScript));
    }

    [Fact]
    public void Whatever_the_schema_allows_the_server_accepts_and_the_other_way_round_up_to_its_length()
    {
        var random = new Random(20);
        const string Alphabet = "aZ09 \"\\,;-~!\u007F\té";
        var pattern = new Regex(KeyDescription.Pattern, RegexOptions.ECMAScript);
        var allowed = 0;
        for (var i = 0; i < 200_000; i++)
        {
            var key = string.Create(random.Next(0, 9), random, static (characters, random) =>
            {
                foreach (ref var character in characters)
                {
                    character = Alphabet[random.Next(Alphabet.Length)];
                }
            });
            key = random.Next(2) == 0 ? key.Trim([' ', '\t']) : $"\"{key}\""; // what surrounds a field value never reaches a server
            var accepted = IdempotencyKey.TryParse(new StringValues(key), out _, out _);
            Assert.True(accepted == pattern.IsMatch(key), key);
            allowed += accepted ? 1 : 0;
        }

        Assert.InRange(allowed, 1_000, 199_000);
        Assert.True(IdempotencyKey.TryParse(new string('x', 255), out _, out _));
        Assert.True(IdempotencyKey.TryParse($"\"{new string('x', 253)}\"", out _, out _));
    }

    [Theory]
    [InlineData("1.00:00:00", "24 hours")]
    [InlineData("7.00:00:00", "7 days")]
    [InlineData("01:00:00", "1 hour")]
    [InlineData("01:30:00", "90 minutes")]
    [InlineData("00:01:00", "1 minute")]
    [InlineData("00:00:01.5", "1.5 seconds")]
    public async Task The_retention_is_told_in_words(string retention, string words)
    {
        var policy = new IdempotencyPolicy { Retention = TimeSpan.Parse(retention, System.Globalization.CultureInfo.InvariantCulture) };
        Assert.Contains($"within {words} ", (string?)(await Api.OperationUnderAsync(policy)).KeyParameter()!["description"], StringComparison.Ordinal);
    }
}
