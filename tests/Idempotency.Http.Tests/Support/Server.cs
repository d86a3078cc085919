using System.Collections.Concurrent;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Idempotency.Http.Tests;

/// <summary>A server that records the statuses of its responses.</summary>
internal sealed class Server(WebApplication app) : IAsyncDisposable
{
    private readonly ConcurrentQueue<int> _statuses = new();

    public string Address => app.Urls.First();

    public int Count(int status) => _statuses.Count(one => one == status);

    public static async Task<Server> StartAsync(Action<WebApplication> map, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(server => server.Listen(IPAddress.Loopback, 0));
        builder.Services.AddIdempotency();
        configure?.Invoke(builder);
        var app = builder.Build();
        var server = new Server(app);
        app.Use(async (context, next) =>
        {
            await next(context);
            server._statuses.Enqueue(context.Response.StatusCode);
        });
        app.UseIdempotency();
        map(app);
        await app.StartAsync();
        return server;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
