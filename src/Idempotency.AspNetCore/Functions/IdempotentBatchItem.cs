using System.Diagnostics.CodeAnalysis;

namespace Idempotency.AspNetCore;

/// <summary>What became of an item of a batch.</summary>
/// <typeparam name="TItem">What the batch is made of.</typeparam>
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

    /// <summary>Whether it is done, now or earlier. If not, it runs when it comes again, unless <see cref="Exception"/> is one that says otherwise.</summary>
    [MemberNotNullWhen(false, nameof(Exception))]
    public bool Succeeded => Exception is null;

    /// <summary>
    /// Whether it is done and nothing was run for it now: it was done before this batch, or by an item of this batch that is the same.
    /// </summary>
    public bool IsReplay { get; }

    /// <summary>Why it is not done: an <see cref="IdempotencyException"/>, or what the work has thrown. Null when it is.</summary>
    public Exception? Exception { get; }
}
