using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Tests;

/// <summary>A process that has functions and no HTTP, with its time and its store in the test's hands.</summary>
internal sealed class Functions : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    /// <summary>Starts one.</summary>
    /// <param name="options">Its idempotency options.</param>
    /// <param name="other">Another process, whose store and clock this one shares.</param>
    /// <param name="configure">More of the library.</param>
    public Functions(Action<IdempotencyOptions>? options = null, Functions? other = null, Action<IIdempotencyBuilder>? configure = null)
    {
        Time = other?.Time ?? new FakeTimeProvider();
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddProvider(new FakeLoggerProvider(Logs)).SetMinimumLevel(LogLevel.Debug));
        services.AddSingleton<TimeProvider>(Time);
        if (other is null)
        {
            services.AddSingleton<InMemoryIdempotencyStore>();
        }
        else
        {
            services.AddSingleton(other.Store.Inner);
        }

        var idempotency = services.AddIdempotency(options).AddStore<ObservedStore>();
        configure?.Invoke(idempotency);
        _services = services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });
    }

    public FakeTimeProvider Time { get; }

    public FakeLogCollector Logs { get; } = new();

    public IServiceProvider Services => _services;

    public IIdempotentExecutor Executor => _services.GetRequiredService<IIdempotentExecutor>();

    public ObservedStore Store => (ObservedStore)_services.GetRequiredService<IIdempotencyStore>();

    public CompletedRecords CompletedRecords => _services.GetRequiredService<CompletedRecords>();

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}

internal sealed record Receipt(string Id, decimal Amount, List<string> Lines);

internal sealed record Order(string Id, decimal Amount);

[JsonSerializable(typeof(Receipt))]
[JsonSerializable(typeof(Order))]
internal sealed partial class FunctionJson : JsonSerializerContext;
