using System.Reflection;
using System.Runtime.Loader;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Mistakes that would otherwise be silent are reported at start-up, with the fix.</summary>
public sealed class SetupMistakeTests
{
    [Theory]
    [InlineData("Idempotncy", true)]
    [InlineData("Idempotency", false)]
    [InlineData("Empty", false)]
    [InlineData("Nested:Missing", true)]
    public async Task A_configuration_section_that_is_not_there_fails_the_start(string name, bool isMissing)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseTestServer();
        builder.Configuration.AddJsonStream(new MemoryStream("""{ "Idempotency": { "Enabled": true }, "Empty": {}, "Nested": { "There": 1 } }"""u8.ToArray()));
        builder.Services.AddRouting();
        builder.Services.AddIdempotency(builder.Configuration.GetSection(name));
        await using var app = builder.Build();
        var failure = await Record.ExceptionAsync(() => app.StartAsync(TestContext.Current.CancellationToken));
        if (isMissing)
        {
            Assert.Contains($"section '{name}' was not found", failure?.Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Null(failure);
        }
    }

    [Fact]
    public async Task The_whole_configuration_is_no_missing_section()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Enabled", "false")]).Build();
        await using var services = new ServiceCollection().AddIdempotency(configuration).Services.BuildServiceProvider();
        Assert.False(services.GetRequiredService<Microsoft.Extensions.Options.IOptions<IdempotencyOptions>>().Value.Enabled);
    }

    [Fact]
    public async Task A_store_that_another_replaces_is_a_warning_in_a_host_without_HTTP_too()
    {
        var warning = Assert.Single(await WarningsAsync(builder => builder.AddInMemoryStore().AddStore<ObservedStore>()));
        Assert.Contains("The last one is used: ObservedStore. Not used: InMemoryIdempotencyStore.", warning, StringComparison.Ordinal);
        Assert.Empty(await WarningsAsync(builder => builder.AddStore<ObservedStore>()));
        Assert.Empty(await WarningsAsync(builder => builder.AddInMemoryStore().AddInMemoryStore(options => options.MaxRecords = 5)));
        Assert.Empty(await WarningsAsync(_ => { }));

        static async Task<List<string>> WarningsAsync(Action<IIdempotencyBuilder> add)
        {
            var logs = new FakeLogCollector();
            var builder = Host.CreateEmptyApplicationBuilder(null);
            builder.Logging.AddProvider(new FakeLoggerProvider(logs));
            builder.Services.AddSingleton<InMemoryIdempotencyStore>();
            add(builder.Services.AddIdempotency());
            using var host = builder.Build();
            await host.StartAsync(TestContext.Current.CancellationToken);
            await host.StopAsync(TestContext.Current.CancellationToken);
            return [.. logs.GetSnapshot().Where(record => record.Id.Name == "StoreReplaced").Select(record => record.Message)];
        }
    }

    [Fact]
    public async Task An_unknown_policy_is_reported_with_the_names_there_are()
    {
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => Api.StartAsync(
            app => app.MapPost("/a", () => 1).WithIdempotency("paymets"),
            options => options.AddPolicy("refunds", new IdempotencyPolicy()).AddPolicy("payments", new IdempotencyPolicy())));
        Assert.Contains("The registered policies are 'exact', 'payments', 'refunds'.", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_group_in_an_application_without_AddIdempotency_fails_before_it_starts()
    {
        await using var app = WebApplication.CreateSlimBuilder().Build();
        var failure = Assert.Throws<InvalidOperationException>(() => app.MapGroup("/payments").WithIdempotency());
        Assert.Contains("Call builder.Services.AddIdempotency()", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_single_endpoint_in_a_process_without_AddIdempotency_fails_where_it_is_mapped()
    {
        // A copy of the library in which nobody has called it yet, as in a process of its own.
        var own = new AssemblyLoadContext("an application without AddIdempotency", isCollectible: true);
        try
        {
            var core = own.LoadFromAssemblyPath(typeof(IdempotencyPolicy).Assembly.Location);
            var conventions = core.GetType(typeof(IdempotencyEndpointConventionBuilderExtensions).FullName!)!;
            var withIdempotency = conventions.GetMethods().Single(method => method.Name == "WithIdempotency" && method.GetParameters().Length == 1).MakeGenericMethod(typeof(RouteHandlerBuilder));
            await using var app = WebApplication.CreateSlimBuilder().Build();
            var failure = Assert.Throws<TargetInvocationException>(() => withIdempotency.Invoke(null, [app.MapPost("/payments", () => 1)]));
            Assert.Contains("Call builder.Services.AddIdempotency()", Assert.IsType<InvalidOperationException>(failure.InnerException).Message, StringComparison.Ordinal);

            core.GetType(typeof(IdempotencyServiceCollectionExtensions).FullName!)!.GetMethod("AddIdempotency", [typeof(IServiceCollection), .. ParametersAfterServices(core)])!.Invoke(null, [new ServiceCollection(), null]);
            Assert.NotNull(withIdempotency.Invoke(null, [app.MapPost("/refunds", () => 1)]));
        }
        finally
        {
            own.Unload();
        }

        static Type[] ParametersAfterServices(Assembly core) => [typeof(Action<>).MakeGenericType(core.GetType(typeof(IdempotencyOptions).FullName!)!)];
    }
}
