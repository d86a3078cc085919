using System.Collections.ObjectModel;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>One owner's time with a key, by what the store told that owner.</summary>
internal sealed class Tenure(string name, Guid owner, KeyHistory key, Server server, Fingerprint fingerprint, int attempt, long claimedAt)
{
    public string Name { get; } = name;

    public Guid Owner { get; } = owner;

    public KeyHistory Key { get; } = key;

    public Server Server { get; } = server;

    public Fingerprint Fingerprint { get; } = fingerprint;

    public int Attempt { get; set; } = attempt;

    public long ClaimedAt { get; set; } = claimedAt;

    /// <summary>Until when the store has promised the claim.</summary>
    public long LeaseUntil { get; set; }

    /// <summary>Until when the record is there: the retention after the lease, or after the completion.</summary>
    public long GoneAt { get; set; }

    public TenureEnd End { get; set; }

    /// <summary>When it ended; the end of time while it has not.</summary>
    public long EndedAt { get; set; } = long.MaxValue;

    /// <summary>Whether its lease was ever over before it ended.</summary>
    public bool HasLapsed { get; set; }

    /// <summary>Whether an operator ever deleted its record.</summary>
    public bool WasDeleted { get; set; }

    /// <summary>Whether its owner claimed the key a second time: the record had gone in the meantime.</summary>
    public bool WasClaimedAgain { get; set; }

    public bool WasCompleted { get; set; }

    public bool IsMarked
    {
        get;
        set
        {
            field = value;
            WasMarked |= value;
        }
    }

    /// <summary>Whether it was marked at any time.</summary>
    public bool WasMarked { get; private set; }

    /// <summary>The claim that it took over from; null for a fresh one.</summary>
    public Tenure? Predecessor { get; set; }

    /// <summary>The recorded steps of its record, with their results: those of its predecessors too.</summary>
    public IReadOnlyDictionary<string, int> Recorded { get; set; } = ReadOnlyDictionary<string, int>.Empty;

    /// <summary>The version of its record's steps; zero while it has none.</summary>
    public int StepsVersion { get; set; }

    /// <summary>The run of its handler; null before it has started.</summary>
    public HandlerRun? Run { get; set; }

    /// <summary>Servers on which an operator had the record forgotten, and when that was done.</summary>
    public Dictionary<Server, long>? ForgottenBy { get; set; }

    public bool IsInProgress => End == TenureEnd.None;

    public override string ToString() => Name;

    /// <summary>Whether it excuses a second run: nobody promised anything once a lease is over or an operator has intervened.</summary>
    public bool IsExcuse => HasLapsed || WasDeleted || WasClaimedAgain;

    /// <summary>Whether its record was released with its steps, and waits for the next attempt.</summary>
    public bool IsLeftWithSteps => End == TenureEnd.Released && StepsVersion > 0;

    /// <summary>Until when its record was there, or will be.</summary>
    public long ThereUntil => End == TenureEnd.Superseded || (End == TenureEnd.Released && !IsLeftWithSteps) ? EndedAt : GoneAt;

    public bool IsGone(long now) => (End == TenureEnd.Released && !IsLeftWithSteps) || End == TenureEnd.Deleted || now >= GoneAt;
}
