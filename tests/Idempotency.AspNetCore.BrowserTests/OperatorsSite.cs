using System.Net;
using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;

namespace Idempotency.AspNetCore.BrowserTests;

/// <summary>An API with users who sign in with a cookie, of whom some are operators.</summary>
internal sealed class OperatorsSite : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OperatorsSite(WebApplication app) => (_app, Address) = (app, new Uri(app.Urls.First()));

    public Uri Address { get; }

    public IServiceProvider Services => _app.Services;

    public InMemoryIdempotencyStore Store => (InMemoryIdempotencyStore)_app.Services.GetRequiredService<IIdempotencyStore>();

    public static async Task<OperatorsSite> StartAsync(Action<WebApplication>? map = null, Action<WebApplication>? outer = null, TimeProvider? time = null, Action<IServiceCollection>? services = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production", ApplicationName = typeof(OperatorsSite).Assembly.GetName().Name });
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(server => server.Listen(IPAddress.Loopback, 0));
        builder.Services.AddSingleton(time ?? TimeProvider.System);
        builder.Services.AddIdempotency(options => options.DefaultPolicy = options.DefaultPolicy with { Partition = static _ => null });
        builder.Services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme).AddCookie(static options =>
        {
            options.Cookie.Path = "/"; // behind a proxy that adds a prefix, too
            options.Events.OnRedirectToLogin = static context => Refuse(context.Response, StatusCodes.Status401Unauthorized);
            options.Events.OnRedirectToAccessDenied = static context => Refuse(context.Response, StatusCodes.Status403Forbidden);
        });
        builder.Services.AddAuthorization(static options => options.AddPolicy("operators", static policy => policy.RequireRole("operator")));
        builder.Services.AddCors();
        services?.Invoke(builder.Services);
        var app = builder.Build();
        outer?.Invoke(app);
        app.UseRouting();
        app.UseCors(static policy => policy.SetIsOriginAllowed(static _ => true).AllowAnyHeader().AllowAnyMethod().AllowCredentials()); // as carelessly as some do
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseIdempotency();
        app.MapGet("/sign-in/{role}", static (string role, HttpContext context) => context.SignInAsync(new ClaimsPrincipal(new ClaimsIdentity([new(ClaimTypes.Name, "Olga"), new(ClaimTypes.Role, role)], "test"))));
        app.MapPost("/payments", static () => TypedResults.Created("/payments/1", "secret body")).WithIdempotency();
        map?.Invoke(app);
        app.MapIdempotencyDashboard("operators");
        await app.StartAsync();
        return new OperatorsSite(app);
    }

    /// <summary>The dashboard in a browser that has signed in.</summary>
    public async Task<DashboardPage> SignInAsync(IBrowserContext context, string role = "operator")
    {
        var page = await context.NewPageAsync();
        await page.GotoAsync(new Uri(Address, $"/sign-in/{role}").ToString());
        return new DashboardPage(page);
    }

    public async Task<HttpStatusCode> PayAsync(string key, string path = "/payments", string json = "{}")
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Address, path)) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }

    /// <summary>The claim of a process that is gone, whose lease is over.</summary>
    public async Task AbandonAsync(string name, int attempt = 1, TimeSpan? lease = null)
    {
        var key = new StoreKey(Sha256Hash.Of(Encoding.UTF8.GetBytes(name)));
        await Store.ClaimAsync(key, new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = default, Attempt = attempt, Lease = lease ?? TimeSpan.FromMilliseconds(1), Retention = TimeSpan.FromHours(1) }, default);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static Task Refuse(HttpResponse response, int status)
    {
        response.StatusCode = status;
        return Task.CompletedTask;
    }
}
