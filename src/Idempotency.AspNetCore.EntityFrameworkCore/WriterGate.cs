using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Idempotency.AspNetCore;

/// <summary>Where writers of one SQLite database wait for each other, in the order they come.</summary>
/// <remarks>SQLite has one writer, and its client waits for it by putting the thread to sleep. Within this process nobody needs to: here they wait without a thread.</remarks>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A gate is there as long as the process; a semaphore nobody asks for its wait handle holds nothing.")]
internal sealed class WriterGate
{
    private static readonly ConcurrentDictionary<string, WriterGate> Gates = new(StringComparer.Ordinal);

    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>The gate of a database, for all hosts of this process.</summary>
    public static WriterGate Of(string database) => Gates.GetOrAdd(database, static _ => new WriterGate());

    /// <summary>Waits for the turn, which ends when it is disposed of.</summary>
    /// <exception cref="TimeoutException">It did not come in time.</exception>
    public async ValueTask<IDisposable> EnterAsync(TimeSpan patience, CancellationToken cancellationToken) => await _turn.WaitAsync(patience, cancellationToken)
        ? new Turn(_turn)
        : throw new TimeoutException(
            $"SQLite has one writer, and it was not free within {patience.TotalSeconds:0.#} s: a handler that runs in a transaction keeps it until it has finished. " +
            $"Make such handlers shorter, raise {nameof(EntityFrameworkCoreIdempotencyStoreOptions)}.{nameof(EntityFrameworkCoreIdempotencyStoreOptions.CommandTimeout)}, or use a database with several writers.");

    private sealed class Turn(SemaphoreSlim turn) : IDisposable
    {
        private SemaphoreSlim? _turn = turn;

        public void Dispose() => Interlocked.Exchange(ref _turn, null)?.Release();
    }
}
