using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A rejection has a body, whoever writes problem details in the application and whatever that writer says it did.</summary>
public sealed class ProblemWriterTests
{
    [Theory]
    [InlineData("views, then problem details", "/minimal")]
    [InlineData("views, then problem details", "/plain-controller")]
    [InlineData("views, then problem details", "/api-controller")]
    [InlineData("problem details, then views", "/minimal")]
    [InlineData("problem details, then views", "/plain-controller")]
    [InlineData("problem details, then views", "/api-controller")]
    [InlineData("pages, then problem details", "/minimal")]
    [InlineData("XML and views, then problem details", "/minimal")]
    [InlineData("XML and views, then problem details", "/api-controller")]
    [InlineData("a writer that writes nothing", "/minimal")]
    [InlineData("nothing", "/minimal")]
    public async Task Every_rejection_has_its_code_and_its_advice(string setup, string path)
    {
        foreach (var kestrel in new[] { true, false })
        {
            await using var api = await StartAsync(setup, kestrel);
            using var missing = await api.SendAsync(path, key: null);
            await AssertProblemAsync(missing, HttpStatusCode.BadRequest, "idempotency-key-missing");
            using var first = await api.SendAsync(path);
            Assert.Equal(HttpStatusCode.OK, first.StatusCode);
            using var reused = await api.SendAsync(path, json: """{"other":1}""");
            await AssertProblemAsync(reused, HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        }
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("application/xml")]
    [InlineData("*/*")]
    [InlineData("image/png, application/problem+json;q=0.5")]
    public async Task Whatever_the_client_accepts_there_is_a_body(string accept)
    {
        await using var api = await StartAsync("XML and views, then problem details", kestrel: true);
        foreach (var path in new[] { "/minimal", "/plain-controller", "/api-controller" })
        {
            using var missing = await api.SendAsync(path, key: null, with: request => request.Headers.TryAddWithoutValidation("Accept", accept));
            Assert.Contains("idempotency-key-missing", await missing.TextAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_writer_of_the_applications_own_has_the_last_word()
    {
        await using var api = await StartAsync("a writer of its own", kestrel: true);
        using var missing = await api.SendAsync("/minimal", key: null);
        Assert.Equal("own: idempotency-key-missing", await missing.TextAsync());
    }

    private static async Task AssertProblemAsync(HttpResponseMessage response, HttpStatusCode status, string code)
    {
        Assert.Equal(status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        using var problem = JsonDocument.Parse(await response.TextAsync());
        Assert.Equal(code, problem.RootElement.GetProperty("code").GetString());
        Assert.True(problem.RootElement.TryGetProperty("retry", out _));
    }

    private static Task<Api> StartAsync(string setup, bool kestrel) => Api.StartAsync(
        app =>
        {
            app.MapPost("/minimal", () => "done").WithIdempotency();
            app.MapControllers();
        },
        services: services =>
        {
            foreach (var part in setup.Split(", then "))
            {
                _ = part switch
                {
                    "views" => services.AddControllersWithViews().Services,
                    "XML and views" => services.AddControllersWithViews().AddXmlSerializerFormatters().Services,
                    "pages" => services.AddRazorPages().Services,
                    "problem details" => services.AddProblemDetails(),
                    "a writer that writes nothing" => services.AddProblemDetails().AddSingleton<IProblemDetailsWriter, Silent>(),
                    "a writer of its own" => services.AddSingleton<IProblemDetailsWriter, Own>().AddProblemDetails(),
                    _ => services,
                };
            }

            services.AddControllers().ConfigureApplicationPartManager(parts =>
            {
                parts.FeatureProviders.Clear();
                parts.FeatureProviders.Add(new OnlyController<WriterApiController>());
                parts.FeatureProviders.Add(new OnlyController<WriterPlainController>());
            });
        },
        kestrel: kestrel);

    private sealed class Silent : IProblemDetailsWriter
    {
        public bool CanWrite(ProblemDetailsContext context) => true;

        public ValueTask WriteAsync(ProblemDetailsContext context) => ValueTask.CompletedTask;
    }

    private sealed class Own : IProblemDetailsWriter
    {
        public bool CanWrite(ProblemDetailsContext context) => true;

        public async ValueTask WriteAsync(ProblemDetailsContext context) => await context.HttpContext.Response.WriteAsync($"own: {context.ProblemDetails.Extensions["code"]}");
    }
}

/// <summary>A controller of an API.</summary>
[ApiController]
public sealed class WriterApiController : ControllerBase
{
    /// <summary>Pays.</summary>
    [HttpPost("/api-controller")]
    [Idempotent]
    public string Pay() => "done";
}

/// <summary>A controller of pages.</summary>
public sealed class WriterPlainController : Controller
{
    /// <summary>Pays.</summary>
    [HttpPost("/plain-controller")]
    [Idempotent]
    public string Pay() => "done";
}
