namespace Idempotency.AspNetCore.Simulation;

/// <summary>What runs on one machine and dies with it.</summary>
internal sealed class Process(Scheduler scheduler, string name, Func<TimeSpan>? pause = null)
{
    private readonly List<(SendOrPostCallback Callback, object? State)> _held = [];

    public string Name { get; } = name;

    /// <summary>Whether it has crashed: nothing of it ever runs again, whatever it was waiting for.</summary>
    public bool IsDead { get; private set; }

    /// <summary>Whether it stands still. What comes meanwhile waits, in order.</summary>
    public bool IsFrozen { get; private set; }

    public void Crash()
    {
        IsDead = true;
        _held.Clear();
    }

    public void Freeze() => IsFrozen = true;

    public void Thaw()
    {
        IsFrozen = false;
        foreach (var (callback, state) in _held)
        {
            scheduler.Post(this, callback, state);
        }

        _held.Clear();
    }

    public void Hold(SendOrPostCallback callback, object? state) => _held.Add((callback, state));

    /// <summary>Goes on after an await.</summary>
    public void Post(SendOrPostCallback callback, object? state)
    {
        if (IsDead)
        {
            return;
        }

        // A thread may have to wait for a processor between any two steps.
        if (pause is not null && pause() is { Ticks: > 0 } paused)
        {
            scheduler.PostAfter(paused, this, callback, state);
        }
        else
        {
            scheduler.Post(this, callback, state);
        }
    }
}
