using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>Executes batches: what a queue or a file delivers many of at once.</summary>
public static class IdempotentExecutorBatchExtensions
{
    /// <summary>Runs each item once, and tells of each what became of it. When the batch comes again, only those that are not done run.</summary>
    /// <remarks>
    /// <para>An item that fails does not end the batch: its exception is in its place. Items with the same key are one: the first runs, the others
    /// get its result, or its failure, without a second run. Where payloads are validated (<see cref="IdempotentBatchOptions{TItem}.ForItem"/>), a later
    /// item with the same key and another payload is a call of its own, and is refused with <see cref="IdempotencyKeyReusedException"/> if the first is done.</para>
    /// </remarks>
    /// <typeparam name="TItem">What the batch is made of.</typeparam>
    /// <typeparam name="TResult">What the work makes of an item.</typeparam>
    /// <param name="executor">Who executes.</param>
    /// <param name="operation">What is done, as in <see cref="IIdempotentExecutor"/>: the same item alone and in a batch is one call.</param>
    /// <param name="items">The items.</param>
    /// <param name="key">The key of an item: a string, or an <see cref="IdempotentPayload"/>. What it throws is that item's failure.</param>
    /// <param name="work">What is to be done once for an item.</param>
    /// <param name="options">Options of the items' calls, and how many may run at once.</param>
    /// <param name="cancellationToken">Ends the batch; what was done until then is recorded, and is not run again.</param>
    /// <returns>One result for each item, in their order.</returns>
    /// <exception cref="OperationCanceledException">The token has fired.</exception>
    [RequiresUnreferencedCode(JsonResults.Reflects)]
    [RequiresDynamicCode(JsonResults.Reflects)]
    public static async Task<IReadOnlyList<IdempotentBatchResult<TItem, TResult>>> ExecuteBatchAsync<TItem, TResult>(
        this IIdempotentExecutor executor,
        string operation,
        IEnumerable<TItem> items,
        Func<TItem, IdempotentCallKey> key,
        Func<TItem, IIdempotentRun, CancellationToken, Task<TResult>> work,
        IdempotentBatchOptions<TItem>? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentNullException.ThrowIfNull(work);
        return await RunAsync(executor, operation, items, key, work, options, (itemKey, itemWork, itemOptions) => executor.ExecuteAsync(operation, itemKey, itemWork, itemOptions, cancellationToken), cancellationToken);
    }

    /// <summary>The same, with results that are written and read by source-generated code: for trimming and native AOT.</summary>
    /// <typeparam name="TItem">What the batch is made of.</typeparam>
    /// <typeparam name="TResult">What the work makes of an item.</typeparam>
    /// <param name="executor">Who executes.</param>
    /// <param name="operation">What is done.</param>
    /// <param name="items">The items.</param>
    /// <param name="key">The key of an item: a string, or an <see cref="IdempotentPayload"/>. What it throws is that item's failure.</param>
    /// <param name="work">What is to be done once for an item.</param>
    /// <param name="resultType">The result's metadata, for example <c>AppJsonContext.Default.Receipt</c>.</param>
    /// <param name="options">Options of the items' calls, and how many may run at once.</param>
    /// <param name="cancellationToken">Ends the batch; what was done until then is recorded, and is not run again.</param>
    /// <returns>One result for each item, in their order.</returns>
    /// <exception cref="OperationCanceledException">The token has fired.</exception>
    [OverloadResolutionPriority(-1)] // so that "new() { … }" in its place means options
    public static async Task<IReadOnlyList<IdempotentBatchResult<TItem, TResult>>> ExecuteBatchAsync<TItem, TResult>(
        this IIdempotentExecutor executor,
        string operation,
        IEnumerable<TItem> items,
        Func<TItem, IdempotentCallKey> key,
        Func<TItem, IIdempotentRun, CancellationToken, Task<TResult>> work,
        JsonTypeInfo<TResult> resultType,
        IdempotentBatchOptions<TItem>? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentNullException.ThrowIfNull(work);
        ArgumentNullException.ThrowIfNull(resultType);
        return await RunAsync(executor, operation, items, key, work, options, (itemKey, itemWork, itemOptions) => executor.ExecuteAsync(operation, itemKey, itemWork, resultType, itemOptions, cancellationToken), cancellationToken);
    }

    /// <summary>The same, of work without results.</summary>
    /// <typeparam name="TItem">What the batch is made of.</typeparam>
    /// <param name="executor">Who executes.</param>
    /// <param name="operation">What is done.</param>
    /// <param name="items">The items.</param>
    /// <param name="key">The key of an item: a string, or an <see cref="IdempotentPayload"/>. What it throws is that item's failure.</param>
    /// <param name="work">What is to be done once for an item.</param>
    /// <param name="options">Options of the items' calls, and how many may run at once.</param>
    /// <param name="cancellationToken">Ends the batch; what was done until then is recorded, and is not run again.</param>
    /// <returns>What became of each item, in their order.</returns>
    /// <exception cref="OperationCanceledException">The token has fired.</exception>
    public static async Task<IReadOnlyList<IdempotentBatchItem<TItem>>> ExecuteBatchAsync<TItem>(
        this IIdempotentExecutor executor,
        string operation,
        IEnumerable<TItem> items,
        Func<TItem, IdempotentCallKey> key,
        Func<TItem, IIdempotentRun, CancellationToken, Task> work,
        IdempotentBatchOptions<TItem>? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentNullException.ThrowIfNull(work);
        return await RunAsync(
            executor,
            operation,
            items,
            key,
            async (item, run, cancellation) =>
            {
                await work(item, run, cancellation);
                return default(NoResult);
            },
            options,
            async (itemKey, itemWork, itemOptions) =>
            {
                await executor.ExecuteAsync(operation, itemKey, (Func<IIdempotentRun, CancellationToken, Task>)itemWork, itemOptions, cancellationToken);
                return default;
            },
            cancellationToken);
    }

    private static async Task<IdempotentBatchResult<TItem, TResult>[]> RunAsync<TItem, TResult>(
        IIdempotentExecutor executor,
        string operation,
        IEnumerable<TItem> items,
        Func<TItem, IdempotentCallKey> key,
        Func<TItem, IIdempotentRun, CancellationToken, Task<TResult>> work,
        IdempotentBatchOptions<TItem>? options,
        Func<IdempotentCallKey, Func<IIdempotentRun, CancellationToken, Task<TResult>>, IdempotentCallOptions?, Task<TResult>> execute,
        CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(operation);
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(key);
        var degree = options?.MaxDegreeOfParallelism ?? 1;
        ArgumentOutOfRangeException.ThrowIfLessThan(degree, 1, nameof(options));
        var calls = items.ToArray();
        var results = new IdempotentBatchResult<TItem, TResult>[calls.Length];

        // By stored key, in order of appearance: those with the same one are executed one after the other, whatever runs beside them.
        var byKey = new OrderedDictionary<StoreKey, List<Call>>();
        for (var i = 0; i < calls.Length; i++)
        {
            try
            {
                var itemKey = key(calls[i]);
                var itemOptions = options?.ForItem?.Invoke(calls[i]);
                // An executor of somebody else's, around ours: what its policy selects is not known here.
                var identity = executor is IdempotentExecutor ours
                    ? ours.Identify(operation, itemKey, itemOptions)
                    : CallIdentity.Of(operation, itemKey, itemOptions, new IdempotencyPolicy(), PolicySelectors.None, enabled: true);
                if (!byKey.TryGetValue(identity.StoreKey, out var same))
                {
                    byKey.Add(identity.StoreKey, same = []);
                }

                same.Add(new Call(i, itemKey, itemOptions, identity.Fingerprint));
            }
            catch (Exception exception)
            {
                results[i] = new IdempotentBatchResult<TItem, TResult>(calls[i], exception);
            }
        }

        var parallel = new ParallelOptions { MaxDegreeOfParallelism = degree, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(byKey.Values, parallel, async (same, _) =>
        {
            for (var i = 0; i < same.Count; i++)
            {
                var call = same[i];
                var item = calls[call.Index];
                var first = same.FindIndex(earlier => earlier.Fingerprint == call.Fingerprint);
                results[call.Index] = first < i ? results[same[first].Index].Of(item) : await OneAsync(item, call);
            }
        });
        return results;

        async Task<IdempotentBatchResult<TItem, TResult>> OneAsync(TItem item, Call call)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                var hasRun = false;
                var result = await execute(
                    call.Key,
                    (run, cancellation) =>
                    {
                        hasRun = true;
                        return work(item, run, cancellation);
                    },
                    call.Options);
                return new IdempotentBatchResult<TItem, TResult>(item, result, isReplay: !hasRun);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw;
            }
            catch (Exception exception)
            {
                return new IdempotentBatchResult<TItem, TResult>(item, exception);
            }
        }
    }

    private readonly record struct Call(int Index, IdempotentCallKey Key, IdempotentCallOptions? Options, Fingerprint Fingerprint);
}
