namespace Idempotency.AspNetCore.Simulation;

/// <summary>One owner's time with a key, by what the store told that owner.</summary>
internal sealed class Tenure(string name, Guid owner, KeyHistory key, Server server, Fingerprint fingerprint, int attempt, long claimedAt)
{
    public string Name { get; } = name;

    public Guid Owner { get; } = owner;

    public KeyHistory Key { get; } = key;

    public Server Server { get; } = server;

    public Fingerprint Fingerprint { get; } = fingerprint;

    public int Attempt { get; } = attempt;

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

    public bool IsMarked { get; set; }

    /// <summary>The run of its handler; null before it has started.</summary>
    public HandlerRun? Run { get; set; }

    /// <summary>Servers on which an operator had the record forgotten, and when that was done.</summary>
    public Dictionary<Server, long>? ForgottenBy { get; set; }

    public bool IsInProgress => End == TenureEnd.None;

    public override string ToString() => Name;

    /// <summary>Whether it excuses a second run: nobody promised anything once a lease is over or an operator has intervened.</summary>
    public bool IsExcuse => HasLapsed || WasDeleted || WasClaimedAgain;

    public bool IsGone(long now) => End is TenureEnd.Released or TenureEnd.Deleted || now >= GoneAt;
}
