using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What an authentication scheme makes of a challenge or a forbid answers one attempt, whatever it looks like.</summary>
public sealed class RefusalTests
{
    private int _runs;

    public static TheoryData<string, bool> Refusals()
    {
        var data = new TheoryData<string, bool>();
        foreach (var path in new[] { "/results-forbid", "/results-challenge", "/context-forbid", "/context-challenge", "/forwarded", "/page", "/authorization-service", "/refusing/forbid", "/refusing/challenge", "/refusing/filter" })
        {
            data.Add(path, true);
            data.Add(path, false);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task A_refusal_frees_the_key_in_any_dress(string path, bool authenticationComesFirst)
    {
        // The policy would record everything: a refusal is no answer to the request all the same.
        await using var api = await StartAsync(authenticationComesFirst, new IdempotencyPolicy { ShouldStore = _ => true });
        using var refused = await api.SendAsync(path);
        using var again = await api.SendAsync(path);
        using var permitted = await api.SendAsync(path, with: request => request.Headers.Add("X-Permitted", "1"));
        using var replay = await api.SendAsync(path, with: request => request.Headers.Add("X-Permitted", "1"));
        Assert.Equal(path == "/page" ? HttpStatusCode.OK : HttpStatusCode.Redirect, refused.StatusCode);
        Assert.False(again.IsReplay());
        Assert.Equal("done 3", await permitted.TextAsync());
        Assert.True(replay.IsReplay());
        Assert.Equal("done 3", await replay.TextAsync());
    }

    [Fact]
    public async Task A_redirect_of_the_handlers_own_is_its_answer()
    {
        await using var api = await StartAsync(authenticationComesFirst: false, new IdempotencyPolicy());
        using var first = await api.SendAsync("/see-other");
        using var replay = await api.SendAsync("/see-other");
        Assert.True(replay.IsReplay());
        Assert.Equal(HttpStatusCode.Redirect, replay.StatusCode);
    }

    [Fact]
    public async Task A_challenge_that_failed_and_was_caught_is_nothing_to_the_answer()
    {
        await using var api = await StartAsync(authenticationComesFirst: true, new IdempotencyPolicy());
        using var first = await api.SendAsync("/no-such-scheme");
        using var replay = await api.SendAsync("/no-such-scheme");
        Assert.True(replay.IsReplay());
        Assert.Equal("caught 1", await replay.TextAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_applications_own_authentication_service_is_left_in_place(bool asInstance)
    {
        var own = new OwnService();
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => { _runs++; return Results.Forbid(); }).WithIdempotency(new IdempotencyPolicy { ShouldStore = _ => true }),
            host: builder =>
            {
                _ = asInstance ? builder.Services.AddSingleton<IAuthenticationService>(own) : builder.Services.AddScoped<IAuthenticationService>(_ => own);
                builder.Services.AddAuthentication();
                builder.Services.AddIdempotency();
            });
        using var first = await api.SendAsync();
        using var second = await api.SendAsync();
        Assert.Equal(HttpStatusCode.Found, second.StatusCode);
        Assert.False(second.IsReplay());
        Assert.Equal(2, own.Forbidden);
        Assert.Equal(2, _runs);
    }

    [Fact]
    public async Task An_application_without_authentication_and_antiforgery_has_neither_service()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(),
            host: builder => builder.WebHost.UseDefaultServiceProvider(provider => provider.ValidateOnBuild = provider.ValidateScopes = true));
        using var scope = api.Services.CreateScope();
        Assert.Null(scope.ServiceProvider.GetService<IAuthenticationService>());
        Assert.Null(scope.ServiceProvider.GetService<Microsoft.AspNetCore.Antiforgery.IAntiforgery>());
        using var first = await api.SendAsync();
        Assert.Equal("x", await first.TextAsync());
    }

    private Task<Api> StartAsync(bool authenticationComesFirst, IdempotencyPolicy policy) => Api.StartAsync(
        app =>
        {
            Map(app, "/results-forbid", _ => Task.FromResult(Results.Forbid()));
            Map(app, "/results-challenge", _ => Task.FromResult(Results.Challenge()));
            Map(app, "/context-forbid", async context => { await context.ForbidAsync(); return Results.Empty; });
            Map(app, "/context-challenge", async context => { await context.ChallengeAsync(CookieAuthenticationDefaults.AuthenticationScheme); return Results.Empty; });
            Map(app, "/forwarded", _ => Task.FromResult(Results.Forbid(authenticationSchemes: ["policy"])));
            Map(app, "/page", _ => Task.FromResult(Results.Challenge(authenticationSchemes: ["page"])));
            Map(app, "/authorization-service", async context =>
            {
                var authorization = context.RequestServices.GetRequiredService<IAuthorizationService>();
                var result = await authorization.AuthorizeAsync(context.User, null, new AuthorizationPolicyBuilder().RequireClaim("never").Build());
                return result.Succeeded ? Results.Ok() : TypedResults.Forbid();
            });
            app.MapPost("/see-other", () => Results.Redirect("/Account/Login?ReturnUrl=%2F")).WithIdempotency(policy);
            app.MapPost("/no-such-scheme", async (HttpContext context) =>
            {
                try
                {
                    await context.ChallengeAsync("none");
                }
                catch (InvalidOperationException)
                {
                    return $"caught {++_runs}";
                }

                return "";
            }).WithIdempotency(policy);
            app.MapControllers().WithMetadata(new IdempotentAttribute("all"));

            void Map(WebApplication to, string path, Func<HttpContext, Task<IResult>> refuse) =>
                to.MapPost(path, async (HttpContext context) => { var run = ++_runs; return context.Request.Headers.ContainsKey("X-Permitted") ? Results.Text($"done {run}") : await refuse(context); }).WithIdempotency(policy);
        },
        options: options => options.AddPolicy("all", policy),
        services: services =>
        {
            services.AddSingleton(this);
            services.AddControllers().ConfigureApplicationPartManager(parts => parts.FeatureProviders.Clear()).ConfigureApplicationPartManager(parts => parts.FeatureProviders.Add(new OnlyController<RefusingController>()));
            if (!authenticationComesFirst)
            {
                AddAuthentication(services);
            }
        },
        host: builder =>
        {
            if (authenticationComesFirst)
            {
                AddAuthentication(builder.Services);
            }
        });

    private static void AddAuthentication(IServiceCollection services)
    {
        services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme)
            .AddCookie(options => options.Events = new CookieAuthenticationEvents
            {
                // As for a browser: an API's endpoints would be answered 401 and 403.
                OnRedirectToLogin = context => { context.Response.Redirect(context.RedirectUri); return Task.CompletedTask; },
                OnRedirectToAccessDenied = context => { context.Response.Redirect(context.RedirectUri); return Task.CompletedTask; },
            })
            .AddPolicyScheme("policy", null, options => options.ForwardDefault = CookieAuthenticationDefaults.AuthenticationScheme)
            .AddScheme<AuthenticationSchemeOptions, PageHandler>("page", null);
        services.AddAuthorization();
    }

    // As OpenID Connect does with RedirectBehavior.FormPost: its challenge is a page that posts itself, larger than what is held.
    private sealed class PageHandler(Microsoft.Extensions.Options.IOptionsMonitor<AuthenticationSchemeOptions> options, Microsoft.Extensions.Logging.ILoggerFactory logger, System.Text.Encodings.Web.UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(AuthenticateResult.NoResult());

        protected override Task HandleChallengeAsync(AuthenticationProperties properties) => Response.WriteAsync("<form>" + new string(' ', 2 * 1024 * 1024));
    }

    private sealed class OwnService : IAuthenticationService
    {
        public int Forbidden { get; private set; }

        public Task<AuthenticateResult> AuthenticateAsync(HttpContext context, string? scheme) => Task.FromResult(AuthenticateResult.NoResult());

        public Task ChallengeAsync(HttpContext context, string? scheme, AuthenticationProperties? properties) => Task.CompletedTask;

        public Task ForbidAsync(HttpContext context, string? scheme, AuthenticationProperties? properties)
        {
            Forbidden++;
            context.Response.Redirect("/denied");
            return Task.CompletedTask;
        }

        public Task SignInAsync(HttpContext context, string? scheme, ClaimsPrincipal principal, AuthenticationProperties? properties) => Task.CompletedTask;

        public Task SignOutAsync(HttpContext context, string? scheme, AuthenticationProperties? properties) => Task.CompletedTask;
    }

    public int NextRun() => ++_runs;
}

[Route("refusing")]
public sealed class RefusingController(RefusalTests test) : ControllerBase
{
    [HttpPost("forbid")]
    public IActionResult Forbidden() => Run(out var done) ? done : Forbid();

    [HttpPost("challenge")]
    public IActionResult Challenged() => Run(out var done) ? done : Challenge();

    [HttpPost("filter")]
    [RefuseUnlessPermitted]
    public IActionResult Filtered() => Content("done 3");

    private bool Run(out ContentResult done)
    {
        done = Content($"done {test.NextRun()}");
        return Request.Headers.ContainsKey("X-Permitted");
    }
}

[AttributeUsage(AttributeTargets.Method)]
internal sealed class RefuseUnlessPermittedAttribute : Attribute, Microsoft.AspNetCore.Mvc.Filters.IAuthorizationFilter
{
    public void OnAuthorization(Microsoft.AspNetCore.Mvc.Filters.AuthorizationFilterContext context)
    {
        if (!context.HttpContext.Request.Headers.ContainsKey("X-Permitted"))
        {
            context.Result = new ForbidResult();
        }
    }
}
