using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Numbers and dates on the wire, in keys and in settings are the same in every culture. <see cref="GermanCulture"/> sets one for the whole project.</summary>
public sealed class CultureTests
{
    [Fact]
    public async Task The_tests_of_this_project_run_in_a_culture_with_decimal_commas()
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => string.Create(CultureInfo.CurrentCulture, $"{1.5} {new DateTime(2026, 12, 31):d}")));
        using var response = await api.SendAsync();
        Assert.Equal("1,5 31.12.2026", await response.TextAsync());
    }

    [Fact]
    public async Task Headers_and_problems_do_not_depend_on_the_culture()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => new { amount = 42.5m }).WithIdempotency(new IdempotencyPolicy { Retention = TimeSpan.FromHours(1.5), ClientCaching = true, MaxRequestBodySize = 12_500, FingerprintSelector = "amount" }),
            services: services => services.AddIdempotency().AddJmesPath());

        using var first = await api.SendAsync(json: """{"amount":42.50}""");
        Assert.Equal("""{"amount":42.5}""", await first.TextAsync());
        Assert.Equal("max-age=5400, private", first.Header("Cache-Control"));

        api.Time.Advance(TimeSpan.FromSeconds(0.5));
        using var replay = await api.SendAsync(json: """{"amount":4.25e1}""");
        Assert.Equal("""{"amount":42.5,"serverCacheHit":true}""", await replay.TextAsync());
        Assert.Equal("max-age=5399, private", replay.Header("Cache-Control"));

        using var reused = await api.SendAsync(json: """{"amount":425}""");
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");

        using var tooLarge = await api.SendAsync(key: "key-2", json: $"\"{new string('x', 12_500)}\"");
        using var problem = JsonDocument.Parse(await tooLarge.TextAsync());
        Assert.Equal("The body of a request with an idempotency key can have at most 12500 bytes. The request was not run.", problem.RootElement.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Settings_are_read_in_one_culture()
    {
        var settings = new ConfigurationBuilder().AddInMemoryCollection([new("DefaultPolicy:Retention", "1.12:30:00.5"), new("DefaultPolicy:MaxRequestBodySize", "12500")]).Build();
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "ok").WithIdempotency(), services: services => services.AddIdempotency(settings));
        var policy = api.Services.GetRequiredService<Microsoft.Extensions.Options.IOptions<IdempotencyOptions>>().Value.DefaultPolicy;
        Assert.Equal((new TimeSpan(1, 12, 30, 0, 500), 12_500L), (policy.Retention, policy.MaxRequestBodySize));

        var wrong = new ConfigurationBuilder().AddInMemoryCollection([new("DefaultPolicy:MaxRequestBodySize", "12.500")]).Build();
        var failure = await Record.ExceptionAsync(() => Api.StartAsync(app => app.MapPost("/", () => "ok").WithIdempotency(), services: services => services.AddIdempotency(wrong)));
        Assert.Contains("'12.500'. Set it to a whole number.", failure?.Message, StringComparison.Ordinal);
    }
}
