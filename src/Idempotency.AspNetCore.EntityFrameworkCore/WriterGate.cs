using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Idempotency.AspNetCore;

/// <summary>Queues the writers of one SQLite database, in order of arrival.</summary>
/// <remarks>SQLite allows one writer, and its client blocks the thread while it waits. Within this process, writers wait here without a thread.</remarks>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A gate lives as long as the process, and a semaphore whose wait handle is never used holds no resources.")]
internal sealed class WriterGate
{
    private static readonly ConcurrentDictionary<string, WriterGate> Gates = new(StringComparer.Ordinal);

    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>The gate of a database, for all hosts of this process.</summary>
    public static WriterGate Of(string database) => Gates.GetOrAdd(database, static _ => new WriterGate());

    /// <summary>Waits for the turn, which ends when it is disposed of.</summary>
    /// <exception cref="TimeoutException">The wait timed out.</exception>
    public async ValueTask<IDisposable> EnterAsync(TimeSpan patience, CancellationToken cancellationToken) => await _turn.WaitAsync(patience, cancellationToken)
        ? new Turn(_turn)
        : throw new TimeoutException(
            $"SQLite allows one writer at a time, and the write lock was not available within {patience.TotalSeconds:0.#} s: a handler that runs in a transaction holds it until the handler ends. " +
            $"Make such handlers shorter, increase {nameof(EntityFrameworkCoreIdempotencyStoreOptions)}.{nameof(EntityFrameworkCoreIdempotencyStoreOptions.CommandTimeout)}, or use a database that allows concurrent writers.");

    private sealed class Turn(SemaphoreSlim turn) : IDisposable
    {
        private SemaphoreSlim? _turn = turn;

        public void Dispose() => Interlocked.Exchange(ref _turn, null)?.Release();
    }
}
