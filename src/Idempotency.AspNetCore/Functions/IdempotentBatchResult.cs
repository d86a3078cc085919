namespace Idempotency.AspNetCore;

/// <summary>The outcome of an item of a batch whose work has results.</summary>
/// <typeparam name="TItem">The type of the items.</typeparam>
/// <typeparam name="TResult">The type of the results.</typeparam>
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

    /// <summary>The result. Equal items share one object.</summary>
    /// <exception cref="InvalidOperationException">The item did not succeed. Check <see cref="IdempotentBatchItem{TItem}.Succeeded"/> first.</exception>
    public TResult Result => Succeeded
        ? _result!
        : throw new InvalidOperationException("The item did not succeed and has no result. Check Succeeded first; Exception has the reason.", Exception);

    /// <summary>The outcome of an equal item, which does not run.</summary>
    internal IdempotentBatchResult<TItem, TResult> Of(TItem same) =>
        Succeeded ? new IdempotentBatchResult<TItem, TResult>(same, Result, isReplay: true) : new IdempotentBatchResult<TItem, TResult>(same, Exception);
}
