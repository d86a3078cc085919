namespace Idempotency.AspNetCore;

/// <summary>Which items are over, in time: scheduling, rescheduling and cancelling cost the same however many there are. Not thread-safe.</summary>
/// <remarks>
/// Items of the same second hang on one chain; the chains' times are in a heap. So the heap stays small (a day has 86 400 seconds), an item
/// leaves its chain without a search, and items that end before their time, as every released claim does, leave no more behind than there is.
/// </remarks>
internal sealed class ExpiryAgenda<TItem>
    where TItem : ExpiryAgenda<TItem>.Item
{
    private const long Slot = TimeSpan.TicksPerSecond;

    private readonly Dictionary<long, TItem?> _chains = [];
    private readonly PriorityQueue<long, long> _slots = new();
    private int _emptyChains;

    /// <summary>How much it holds beside the items.</summary>
    public int Chains => _chains.Count;

    /// <summary>What can be on an agenda, once.</summary>
    internal abstract class Item
    {
        /// <summary>When it is over, in ticks. Call <see cref="Schedule"/> after changing it.</summary>
        public long GoneAt { get; set; }

        internal long ScheduledSlot { get; set; } = -1;

        internal TItem? Previous { get; set; }

        internal TItem? Next { get; set; }
    }

    public void Schedule(TItem item)
    {
        var slot = item.GoneAt / Slot;
        if (slot == item.ScheduledSlot)
        {
            return;
        }

        Cancel(item);
        if (!_chains.TryGetValue(slot, out var head))
        {
            _slots.Enqueue(slot, slot);
        }
        else if (head is null)
        {
            _emptyChains--;
        }

        item.ScheduledSlot = slot;
        item.Next = head;
        if (head is not null)
        {
            head.Previous = item;
        }

        _chains[slot] = item;
    }

    public void Cancel(TItem item)
    {
        if (item.ScheduledSlot < 0)
        {
            return;
        }

        if (item.Previous is not null)
        {
            item.Previous.Next = item.Next;
        }
        else
        {
            _chains[item.ScheduledSlot] = item.Next;
            if (item.Next is null)
            {
                _emptyChains++; // it stays, for the heap has its slot; but not when there are many
            }
        }

        if (item.Next is not null)
        {
            item.Next.Previous = item.Previous;
        }

        item.Previous = item.Next = null;
        item.ScheduledSlot = -1;
        if (_emptyChains > 64 && _emptyChains > _chains.Count / 2)
        {
            RemoveEmptyChains();
        }
    }

    /// <summary>An item that is over, or null. It stays until it is cancelled.</summary>
    /// <param name="now">The time, in ticks.</param>
    /// <param name="exact">Whether the slot that is not over yet is searched too; without, an item is found when its slot is over.</param>
    public TItem? NextDue(long now, bool exact)
    {
        while (_slots.TryPeek(out var slot, out _) && slot <= now / Slot)
        {
            var item = _chains[slot];
            if (slot == now / Slot)
            {
                while (exact && item is not null && item.GoneAt > now)
                {
                    item = item.Next;
                }

                return exact ? item : null;
            }

            if (item is not null)
            {
                return item;
            }

            _chains.Remove(slot);
            _slots.Dequeue();
            _emptyChains--;
        }

        return null;
    }

    // At least half of them go, so each has paid for this once when it became empty.
    private void RemoveEmptyChains()
    {
        _slots.Clear();
        foreach (var (slot, head) in _chains)
        {
            if (head is null)
            {
                _chains.Remove(slot);
            }
            else
            {
                _slots.Enqueue(slot, slot);
            }
        }

        _emptyChains = 0;
    }
}
