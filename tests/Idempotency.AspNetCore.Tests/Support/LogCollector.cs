using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What an operator would read.</summary>
internal sealed class LogCollector : ILoggerProvider
{
    public ConcurrentQueue<(LogLevel Level, string? Event, string Text)> Entries { get; } = new();

    public int Count(string name) => Entries.Count(entry => entry.Event == name);

    public ILogger CreateLogger(string categoryName) => new Logger(this);

    public void Dispose()
    {
    }

    private sealed class Logger(LogCollector collector) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            collector.Entries.Enqueue((logLevel, eventId.Name, formatter(state, exception)));
    }
}
