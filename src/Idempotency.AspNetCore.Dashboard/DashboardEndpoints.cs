using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>What <c>MapIdempotencyDashboard()</c> maps: the page, its numbers, what needs a person, and the records.</summary>
internal sealed class DashboardEndpoints : IDisposable
{
    // A stream ends after this time and the browser opens it again: who may look is checked each time.
    private static readonly TimeSpan LongestStream = TimeSpan.FromMinutes(5);

    private const int LongestBody = 16 * 1024;

    private readonly LiveNumbers _numbers;
    private readonly AttentionList _attention;
    private readonly RecordDesk _records;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationToken _stopping;

    public DashboardEndpoints(IServiceProvider services)
    {
        _time = services.GetRequiredService<TimeProvider>();
        _logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Idempotency.AspNetCore.Dashboard");
        var policies = new PoliciesInForce(services);
        var records = services.GetRequiredService<IIdempotencyRecords>();
        _numbers = new LiveNumbers(services, records, _time, _logger);
        _attention = new AttentionList(records, policies, _time, _logger);
        _records = new RecordDesk(records, policies, _logger);
        if (services.GetService<IHostApplicationLifetime>() is { } lifetime)
        {
            _stopping = lifetime.ApplicationStopping;
            _stopping.Register(Dispose);
        }
    }

    public void Map(RouteGroupBuilder group)
    {
        var page = new PageFile("dashboard.html", "text/html; charset=utf-8");
        group.MapGet("/", Handler(context => SendPageAsync(context, page)));
        group.MapGet("/dashboard.css", Handler(new PageFile("dashboard.css", "text/css; charset=utf-8").SendAsync));
        group.MapGet("/dashboard.js", Handler(new PageFile("dashboard.js", "text/javascript; charset=utf-8").SendAsync));
        group.MapGet("/favicon.svg", Handler(new PageFile("favicon.svg", "image/svg+xml").SendAsync));
        group.MapGet("/numbers", Handler(SendNumbersAsync));
        group.MapGet("/numbers/live", Handler(StreamNumbersAsync)).WithMetadata(new DisableRequestTimeoutAttribute());
        group.MapGet("/attention", Handler(SendAttentionAsync));
        group.MapPost("/look-up", Handler(LookUpAsync)); // a body, because addresses get into logs and a key must not
        group.MapPost("/forget", Handler(ForgetAsync));
        group.WithMetadata(new OutputCacheAttribute { NoStore = true });
    }

    public void Dispose() => _numbers.Dispose();

    private static RequestDelegate Handler(Func<HttpContext, Task> endpoint) => context =>
    {
        PageHeaders.Set(context.Response);
        return endpoint(context);
    };

    /// <summary>The page. Its addresses are relative to a folder, so one that is asked for as a file is sent to its folder: relative too, because a proxy's prefix is not known here.</summary>
    private static Task SendPageAsync(HttpContext context, PageFile page)
    {
        var path = context.Request.PathBase.Add(context.Request.Path).ToUriComponent();
        if (path.EndsWith('/'))
        {
            return page.SendAsync(context);
        }

        context.Response.StatusCode = StatusCodes.Status302Found;
        context.Response.Headers.Location = $"./{path[(path.LastIndexOf('/') + 1)..]}/"; // "./": a colon in it would read as a scheme
        return Task.CompletedTask;
    }

    private async Task SendNumbersAsync(HttpContext context)
    {
        context.Response.ContentType = "application/json";
        await context.Response.Body.WriteAsync(_numbers.Current().Json, context.RequestAborted);
    }

    private async Task StreamNumbersAsync(HttpContext context)
    {
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers["X-Accel-Buffering"] = "no"; // nginx would collect events
        using var longest = new CancellationTokenSource(LongestStream, _time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping, longest.Token);
        using var viewer = _numbers.View();
        try
        {
            while (true)
            {
                await context.Response.Body.WriteAsync((await viewer.NextAsync(end.Token)).Event, end.Token);
                await context.Response.Body.FlushAsync(end.Token);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The viewer has left, the application stops, or the stream has lasted long enough.
        }
    }

    private async Task SendAttentionAsync(HttpContext context)
    {
        // Another site cannot read the list, and it cannot have the store asked for a new one either.
        var again = context.Request.Query.ContainsKey("again") && SameOrigin.ReasonAgainst(context.Request) is null;
        await SendAsync(context, StatusCodes.Status200OK, await _attention.GetAsync(again).WaitAsync(context.RequestAborted), DashboardJson.Default.AttentionDocument);
    }

    private async Task LookUpAsync(HttpContext context)
    {
        if (await ReadAsync(context) is { } request)
        {
            await AnswerAsync(context, () => _records.LookUpAsync(context, request), DashboardJson.Default.RecordDocument);
        }
    }

    private async Task ForgetAsync(HttpContext context)
    {
        if (await ReadAsync(context) is { } request)
        {
            await AnswerAsync(context, () => _records.ForgetAsync(context, request), DashboardJson.Default.ForgottenDocument);
            _attention.Outdate();
        }
    }

    /// <summary>Reads what the page sends; null when it is not from the page or says nothing, and the response is written.</summary>
    private static async Task<RecordRequest?> ReadAsync(HttpContext context)
    {
        if (SameOrigin.ReasonAgainst(context.Request) is { } foreign)
        {
            await SendProblemAsync(context, StatusCodes.Status403Forbidden, foreign);
            return null;
        }

        if (!context.Request.HasJsonContentType())
        {
            await SendProblemAsync(context, StatusCodes.Status415UnsupportedMediaType, "Send JSON.");
            return null;
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = LongestBody;
        }

        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, DashboardJson.Default.RecordRequest, context.RequestAborted) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            await SendProblemAsync(context, StatusCodes.Status400BadRequest, "The body must be a JSON object of strings: { \"storeKey\" } or { \"method\", \"path\", \"key\", \"partition\", \"issuer\", \"subject\", \"clientId\" }.");
            return null;
        }
    }

    private async Task AnswerAsync<T>(HttpContext context, Func<Task<T>> ask, JsonTypeInfo<T> type)
    {
        T document;
        try
        {
            document = await ask();
        }
        catch (ArgumentException unnamed)
        {
            await SendProblemAsync(context, StatusCodes.Status400BadRequest, unnamed.Message);
            return;
        }
        catch (Exception exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            DashboardLog.StoreFailed(_logger, exception);
            await SendProblemAsync(context, StatusCodes.Status503ServiceUnavailable, "The store is unavailable. The server's log says why.");
            return;
        }

        await SendAsync(context, StatusCodes.Status200OK, document, type);
    }

    private static Task SendProblemAsync(HttpContext context, int status, string detail) =>
        SendAsync(context, status, new DashboardProblem(status, detail), DashboardJson.Default.DashboardProblem, "application/problem+json");

    private static Task SendAsync<T>(HttpContext context, int status, T document, JsonTypeInfo<T> type, string contentType = "application/json")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        return JsonSerializer.SerializeAsync(context.Response.Body, document, type, context.RequestAborted);
    }
}
