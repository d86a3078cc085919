using System.Runtime.InteropServices;

namespace Idempotency.AspNetCore;

/// <summary>Finds items whose time has passed. Scheduling, rescheduling and canceling have the same cost for any number of items. Not thread-safe.</summary>
/// <remarks>
/// Items of the same second are in one chain; the times of the chains are in a heap. The heap therefore stays small (a day has 86 400 seconds), an item
/// leaves its chain without a search, and items that end early, as every released claim does, leave nothing behind.
/// Items are numbered from 1, and 0 is none: a link is a number instead of a reference, which the garbage collector would have to follow.
/// </remarks>
internal sealed class ExpiryQueue(ExpiryQueue.IItems items)
{
    private const long Slot = TimeSpan.TicksPerSecond;

    private readonly Dictionary<long, int> _chains = [];
    private readonly PriorityQueue<long, long> _slots = new();
    private int _emptyChains;

    /// <summary>Provides the items.</summary>
    internal interface IItems
    {
        ref Item ItemOf(int number);
    }

    /// <summary>An item in the queue.</summary>
    internal struct Item
    {
        /// <summary>The time when it is due, in ticks. Call <see cref="Schedule"/> after changing it.</summary>
        public long GoneAt;

        internal long ScheduledSlot;
        internal bool IsScheduled;
        internal int Previous;
        internal int Next;
    }

    /// <summary>The number of chains.</summary>
    public int Chains => _chains.Count;

    public void Schedule(int number)
    {
        ref var item = ref items.ItemOf(number);
        var slot = item.GoneAt / Slot;
        if (item.IsScheduled)
        {
            if (slot == item.ScheduledSlot)
            {
                return;
            }

            Cancel(number);
        }

        ref var head = ref CollectionsMarshal.GetValueRefOrAddDefault(_chains, slot, out var hasChain);
        if (!hasChain)
        {
            _slots.Enqueue(slot, slot);
        }
        else if (head == 0)
        {
            _emptyChains--;
        }

        item.IsScheduled = true;
        item.ScheduledSlot = slot;
        item.Next = head;
        if (head != 0)
        {
            items.ItemOf(head).Previous = number;
        }

        head = number;
    }

    public void Cancel(int number)
    {
        ref var item = ref items.ItemOf(number);
        if (!item.IsScheduled)
        {
            return;
        }

        if (item.Previous != 0)
        {
            items.ItemOf(item.Previous).Next = item.Next;
        }
        else
        {
            _chains[item.ScheduledSlot] = item.Next;
            if (item.Next == 0)
            {
                _emptyChains++; // it remains, because the heap has its slot, unless there are many
            }
        }

        if (item.Next != 0)
        {
            items.ItemOf(item.Next).Previous = item.Previous;
        }

        item.Previous = item.Next = 0;
        item.IsScheduled = false;
        if (_emptyChains > 64 && _emptyChains > _chains.Count / 2)
        {
            RemoveEmptyChains();
        }
    }

    /// <summary>An item that is due, or 0. It remains until it is canceled.</summary>
    /// <param name="now">The time, in ticks.</param>
    /// <param name="exact">Whether the slot that has not ended is searched too; otherwise, an item is found when its slot ends.</param>
    public int NextDue(long now, bool exact)
    {
        while (_slots.TryPeek(out var slot, out _) && slot <= now / Slot)
        {
            var number = _chains[slot];
            if (slot == now / Slot)
            {
                while (exact && number != 0 && items.ItemOf(number).GoneAt > now)
                {
                    number = items.ItemOf(number).Next;
                }

                return exact ? number : 0;
            }

            if (number != 0)
            {
                return number;
            }

            _chains.Remove(slot);
            _slots.Dequeue();
            _emptyChains--;
        }

        return 0;
    }

    // At least half of them are removed, so each has paid for it when it became empty.
    private void RemoveEmptyChains()
    {
        _slots.Clear();
        foreach (var (slot, head) in _chains)
        {
            if (head == 0)
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
