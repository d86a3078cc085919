using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>Runs batches of items, such as the messages of a queue or the rows of a file.</summary>
public static class IdempotentExecutorBatchExtensions
{
    /// <summary>Runs the work of each item once and returns the outcome of each. If the batch is repeated, only items that did not succeed run.</summary>
    /// <remarks>
    /// <para>An item that fails does not end the batch; its outcome has the exception. Items with the same key are equal: the first one runs, and the others
    /// get its result or its exception without running. If payloads are validated (<see cref="IdempotentBatchOptions{TItem}.ForItem"/>), a later
    /// item with the same key and a different payload is rejected with <see cref="IdempotencyKeyReusedException"/> if the first succeeded.</para>
    /// </remarks>
    /// <typeparam name="TItem">The type of the items.</typeparam>
    /// <typeparam name="TResult">The type of the results.</typeparam>
    /// <param name="executor">The executor.</param>
    /// <param name="operation">The name of the operation, as in <see cref="IIdempotentExecutor"/>: an item in a batch and the same item in a single call are one call.</param>
    /// <param name="items">The items.</param>
    /// <param name="key">Returns the key of an item: a string, or an <see cref="IdempotentPayload"/>. If it throws, that item fails.</param>
    /// <param name="work">The work for an item.</param>
    /// <param name="options">The options of the items' calls, and the maximum number that run at the same time.</param>
    /// <param name="cancellationToken">Ends the batch. Completed items stay recorded and do not run again.</param>
    /// <returns>One result for each item, in order.</returns>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
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

    /// <summary>Runs the work of each item once. Results are serialized by source-generated code, for trimming and native AOT.</summary>
    /// <typeparam name="TItem">The type of the items.</typeparam>
    /// <typeparam name="TResult">The type of the results.</typeparam>
    /// <param name="executor">The executor.</param>
    /// <param name="operation">The name of the operation.</param>
    /// <param name="items">The items.</param>
    /// <param name="key">Returns the key of an item: a string, or an <see cref="IdempotentPayload"/>. If it throws, that item fails.</param>
    /// <param name="work">The work for an item.</param>
    /// <param name="resultType">The JSON metadata of the result, for example <c>AppJsonContext.Default.Receipt</c>.</param>
    /// <param name="options">The options of the items' calls, and the maximum number that run at the same time.</param>
    /// <param name="cancellationToken">Ends the batch. Completed items stay recorded and do not run again.</param>
    /// <returns>One result for each item, in order.</returns>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
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

    /// <summary>Runs the work of each item once, for work without results.</summary>
    /// <typeparam name="TItem">The type of the items.</typeparam>
    /// <param name="executor">The executor.</param>
    /// <param name="operation">The name of the operation.</param>
    /// <param name="items">The items.</param>
    /// <param name="key">Returns the key of an item: a string, or an <see cref="IdempotentPayload"/>. If it throws, that item fails.</param>
    /// <param name="work">The work for an item.</param>
    /// <param name="options">The options of the items' calls, and the maximum number that run at the same time.</param>
    /// <param name="cancellationToken">Ends the batch. Completed items stay recorded and do not run again.</param>
    /// <returns>The outcome of each item, in order.</returns>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
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

        // By stored key, in order of appearance: items with the same key run one after the other.
        var byKey = new OrderedDictionary<StoreKey, List<Call>>();
        for (var i = 0; i < calls.Length; i++)
        {
            try
            {
                var itemKey = key(calls[i]);
                var itemOptions = options?.ForItem?.Invoke(calls[i]);
                // A different executor, possibly around ours: its selectors are not known here.
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
