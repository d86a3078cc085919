namespace Idempotency.AspNetCore;

/// <summary>What became of an item of a batch whose work has results.</summary>
/// <typeparam name="TItem">What the batch is made of.</typeparam>
/// <typeparam name="TResult">What the work makes of an item.</typeparam>
public sealed class IdempotentBatchResult<TItem, TResult> : IdempotentBatchItem<TItem>
{
    private readonly TResult? _result;

    internal IdempotentBatchResult(TItem item, TResult result, bool isReplay)
        : base(item, isReplay, exception: null)
    {
        _result = result;
    }

    internal IdempotentBatchResult(TItem item, Exception exception)
        : base(item, isReplay: false, exception)
    {
    }

    /// <summary>The result. Items that are the same share one object.</summary>
    /// <exception cref="InvalidOperationException">The item is not done: ask <see cref="IdempotentBatchItem{TItem}.Succeeded"/> first.</exception>
    public TResult Result => Succeeded
        ? _result!
        : throw new InvalidOperationException("The item did not succeed and has no result. Check Succeeded first; Exception has the reason.", Exception);

    /// <summary>What becomes of another item that is the same as this one: the same, without running.</summary>
    internal IdempotentBatchResult<TItem, TResult> Of(TItem same) =>
        Succeeded ? new IdempotentBatchResult<TItem, TResult>(same, Result, isReplay: true) : new IdempotentBatchResult<TItem, TResult>(same, Exception);
}
