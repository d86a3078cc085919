using System.Diagnostics.CodeAnalysis;

namespace Idempotency.AspNetCore;

/// <summary>The outcome of an item of a batch.</summary>
/// <typeparam name="TItem">The type of the items.</typeparam>
public abstract class IdempotentBatchItem<TItem>
{
    private protected IdempotentBatchItem(TItem item, bool isReplay, Exception? exception)
    {
        Item = item;
        IsReplay = isReplay;
        Exception = exception;
    }

    /// <summary>The item.</summary>
    public TItem Item { get; }

    /// <summary>Whether the work of the item is complete, from this batch or earlier. If not, it can run when the item is processed again; see <see cref="Exception"/>.</summary>
    [MemberNotNullWhen(false, nameof(Exception))]
    public bool Succeeded => Exception is null;

    /// <summary>
    /// Whether the item succeeded without running now: it was completed before this batch, or by an equal item of this batch.
    /// </summary>
    public bool IsReplay { get; }

    /// <summary>The reason why the item did not succeed: an <see cref="IdempotencyException"/>, or the exception of the work. Null if it succeeded.</summary>
    public Exception? Exception { get; }
}
