namespace Idempotency.AspNetCore;

/// <summary>Duplicates that wait for the first request in the same process. They are notified when it completes or is released, and do not poll.</summary>
internal sealed class DuplicateWaiters
{
    private readonly Dictionary<StoreKey, Ticket> _tickets = [];
    private readonly Lock _lock = new();
    private int _waiting;

    /// <summary>
    /// Registers a waiter for a key. Read the record once more after this call: earlier changes are not reported.
    /// Unregister it with <see cref="Leave"/>.
    /// </summary>
    public Ticket Enter(StoreKey key)
    {
        lock (_lock)
        {
            if (!_tickets.TryGetValue(key, out var ticket))
            {
                _tickets.Add(key, ticket = new Ticket(key));
            }

            ticket.Holders++;
            _waiting++;
            return ticket;
        }
    }

    public void Leave(Ticket ticket)
    {
        lock (_lock)
        {
            _waiting--;
            if (--ticket.Holders == 0 && _tickets.TryGetValue(ticket.Key, out var current) && current == ticket)
            {
                _tickets.Remove(ticket.Key); // otherwise it might stay forever, for a key that another server owns
            }
        }
    }

    /// <summary>The number of keys with waiters.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _tickets.Count;
            }
        }
    }

    /// <summary>Notifies all waiters of a key.</summary>
    public void Call(StoreKey key)
    {
        // A full fence first: waiters that registered before our change of the record was visible must be seen here; later ones see the change.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _waiting) == 0)
        {
            return;
        }

        Ticket? ticket;
        lock (_lock)
        {
            _tickets.Remove(key, out ticket);
        }

        ticket?.Call();
    }

    internal sealed class Ticket
    {
        private readonly TaskCompletionSource _called = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Ticket(StoreKey key)
        {
            Key = key;
            Called = AwaitCallAsync();
        }

        public StoreKey Key { get; }

        public int Holders { get; set; }

        /// <summary>Completes when the waiter is notified.</summary>
        public Task Called { get; }

        public void Call() => _called.TrySetResult();

        // An await instead of the source's own task: combinators (Task.WaitAsync) continue on the thread pool when such a task ends, but an await continues where it came from,
        // and the simulation decides the order of all events.
        private async Task AwaitCallAsync() => await _called.Task;
    }
}
