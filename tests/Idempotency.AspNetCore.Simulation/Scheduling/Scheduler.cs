namespace Idempotency.AspNetCore.Simulation;

/// <summary>Everything that can happen in a world, and its time. One event happens at a time, on one thread, and takes no time.</summary>
/// <remarks>
/// Time is in ticks of 100 ns, and moves only when nothing can happen now: to the next moment at which something can. What belongs to a process that has crashed
/// never happens; what belongs to one that is frozen happens after it has thawed.
/// </remarks>
internal sealed class Scheduler(IChoices choices)
{
    private readonly List<Event> _ready = [];
    private readonly PriorityQueue<Later, (long Due, long Number)> _later = new();
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private long _numbers;
    private int _foreground;

    /// <summary>The true time, in ticks.</summary>
    public long Now { get; private set; }

    /// <summary>A digest of all that has happened: two runs with the same are the same run.</summary>
    public ulong History { get; private set; } = 1;

    /// <summary>How many events have happened.</summary>
    public long Events { get; private set; }

    /// <summary>Whether nothing will happen any more, but for timers that go on for ever.</summary>
    public bool IsQuiet => _ready.Count == 0 && _foreground == 0;

    /// <summary>What happened outside the scheduler's thread, which a world must not: null while nothing has.</summary>
    public string? Escape { get; private set; }

    /// <summary>Throws when the caller has escaped to another thread.</summary>
    public void CheckThread()
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            Escape ??= Environment.StackTrace;
            throw new InvalidOperationException("Something of a simulated world runs on a thread of its own.");
        }
    }

    /// <summary>Something that can happen now.</summary>
    /// <param name="process">Whose it is; null for the world's own, which no crash stops.</param>
    /// <param name="callback">What happens.</param>
    /// <param name="state">Its argument.</param>
    /// <param name="isChoice">Whether its place in the order matters to others than its process.</param>
    public void Post(Process? process, SendOrPostCallback callback, object? state, bool isChoice = false)
    {
        CheckThread();
        _ready.Add(new Event(process, callback, state, isChoice));
    }

    /// <summary>Something that can happen after a while.</summary>
    /// <returns>What cancels it.</returns>
    public Later PostAfter(TimeSpan delay, Process? process, SendOrPostCallback callback, object? state, bool isChoice = false, bool isBackground = false)
    {
        CheckThread();
        var later = new Later(this, new Event(process, callback, state, isChoice), isBackground);
        _foreground += isBackground ? 0 : 1;
        _later.Enqueue(later, (delay.Ticks > long.MaxValue - Now ? long.MaxValue : Now + Math.Max(0, delay.Ticks), _numbers++));
        return later;
    }

    /// <summary>Folds something into the digest of the history.</summary>
    public void Note(long what) => History = SeededRandom.Mix(History ^ (ulong)what);

    /// <summary>Lets one thing happen.</summary>
    /// <param name="until">Time does not move beyond this.</param>
    /// <returns>False: nothing can happen until then.</returns>
    public bool Step(long until)
    {
        if (!Advance(until))
        {
            return false;
        }

        var (process, callback, state, _) = TakeReady();
        if (process is { IsDead: true })
        {
            return true;
        }

        if (process is { IsFrozen: true })
        {
            process.Hold(callback, state);
            return true;
        }

        Events++;
        SynchronizationContext.SetSynchronizationContext(process is null ? null : new Strand(process));
        callback(state);
        return true;
    }

    private bool Advance(long until)
    {
        while (_later.TryPeek(out var later, out var at))
        {
            if (later.IsOver)
            {
                _later.Dequeue();
                continue;
            }

            if (at.Due > until || (_ready.Count > 0 && at.Due > Now))
            {
                break;
            }

            _later.Dequeue();
            Now = at.Due;
            later.End();
            _ready.Add(later.Event); // with all others of that moment: their order is a choice
        }

        return _ready.Count > 0;
    }

    private Event TakeReady()
    {
        if (choices.AreExhaustive)
        {
            for (var i = 0; i < _ready.Count; i++)
            {
                if (!_ready[i].IsChoice)
                {
                    return Take(i);
                }
            }
        }

        var index = _ready.Count == 1 ? 0 : choices.Choose(_ready.Count, Now);
        Note((Now << 8) | (uint)index);
        if (choices.AreExhaustive)
        {
            return Take(index);
        }

        var taken = _ready[index];
        _ready[index] = _ready[^1];
        _ready.RemoveAt(_ready.Count - 1);
        return taken;
    }

    private Event Take(int index)
    {
        var taken = _ready[index];
        _ready.RemoveAt(index);
        return taken;
    }

    internal readonly record struct Event(Process? Process, SendOrPostCallback Callback, object? State, bool IsChoice);

    /// <summary>Something that happens later, unless it is cancelled.</summary>
    internal sealed class Later(Scheduler scheduler, Event what, bool isBackground)
    {
        public Event Event { get; } = what;

        public bool IsOver { get; private set; }

        public void Cancel() => End();

        internal void End()
        {
            if (!IsOver)
            {
                IsOver = true;
                scheduler._foreground -= isBackground ? 0 : 1;
            }
        }
    }
}
