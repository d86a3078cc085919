using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Log records as an operator reads them: by the names of events.</summary>
public static class FakeLogCollectorExtensions
{
    extension(FakeLogCollector logs)
    {
        /// <summary>All there are, in their order.</summary>
        public IEnumerable<(LogLevel Level, string? Event, string Text)> Entries => logs.GetSnapshot().Select(record => (record.Level, record.Id.Name, record.Message));

        /// <summary>How often an event was logged.</summary>
        public int Count(string name) => logs.GetSnapshot().Count(record => record.Id.Name == name);
    }
}
