using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.TestHost;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>Applications in which the pages' code runs.</summary>
internal static class Applications
{
    /// <summary>What an application's Program.cs begins with, without configuration files, logs and a port.</summary>
    public static WebApplicationBuilder NewBuilder()
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production", ApplicationName = typeof(Applications).Assembly.GetName().Name });
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        return builder;
    }

    /// <summary>Starts the application, and returns a client of it.</summary>
    public static async Task<HttpClient> StartedAsync(this WebApplication app)
    {
        await app.StartAsync(TestContext.Current.CancellationToken);
        return app.GetTestClient();
    }
}
