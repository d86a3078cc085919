namespace Idempotency.AspNetCore;

/// <summary>Where duplicates wait for the first request in the same process: they are called when it has completed or released, they do not poll.</summary>
internal sealed class DuplicateWaiters
{
    private readonly Dictionary<StoreKey, Ticket> _tickets = [];
    private readonly Lock _lock = new();
    private int _waiting;

    /// <summary>
    /// A ticket for a key. Look at the record once more after taking it: what has happened before is not called out again.
    /// Give it back with <see cref="Leave"/>.
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
                _tickets.Remove(ticket.Key); // nobody may ever call a key that another server owns
            }
        }
    }

    /// <summary>How many keys somebody waits for.</summary>
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

    /// <summary>Calls everybody who waits for a key.</summary>
    public void Call(StoreKey key)
    {
        // Full fence first: whoever entered before our change of the record was visible must be seen here; who enters later sees the change.
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

        /// <summary>Ends when the ticket is called.</summary>
        public Task Called { get; }

        public void Call() => _called.TrySetResult();

        // An await, and not the source's own task: what combines tasks (Task.WaitAsync) goes on in the thread pool when such a task ends, an await where it came from,
        // and a simulation decides the order of everything that happens.
        private async Task AwaitCallAsync() => await _called.Task;
    }
}
