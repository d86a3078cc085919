namespace Idempotency.AspNetCore.Simulation;

/// <summary>Faults drawn from a seed.</summary>
/// <remarks>
/// Each draw is of its own: of the request and the call it is about, or of its place in a server's life, and not of what was drawn before it. So a world can be repeated without some of
/// its faults, and what they did not touch stays as it was.
/// </remarks>
internal sealed class SeededFaults : IFaults
{
    private const long Never = long.MinValue / 2;
    private static readonly TimeSpan Fast = TimeSpan.FromMilliseconds(0.05);
    private static readonly TimeSpan Usual = TimeSpan.FromMilliseconds(2);

    private readonly World _world;
    private readonly WorldPlan _plan;
    private readonly ulong _seed;
    private SeededRandom _disruptions;
    private long _storeAwayUntil = Never;
    private bool _hangsWhileAway;

    public SeededFaults(World world, ulong seed)
    {
        _world = world;
        _plan = world.Plan;
        _seed = seed;
        _disruptions = new SeededRandom(seed);
    }

    public long DisturbedUntil { get; private set; } = Never;

    public List<InjectedFault> Happened { get; } = [];

    /// <summary>Sets the first of the disruptions that come by themselves.</summary>
    public void Begin()
    {
        if (_plan.DisruptionEvery > TimeSpan.Zero)
        {
            _world.Scheduler.PostAfter(NextDisruption(), null, static faults => ((SeededFaults)faults!).Disrupt(), this);
        }
    }

    public Delivery Deliver(Server server, StoreCall call)
    {
        var random = new SeededRandom(SeededRandom.Mix(_seed ^ (call.Exchange is { } exchange ? exchange.Seed + (ulong)exchange.Calls++ : IdOf(server, server.Calls++, 1))));
        var delivery = new Delivery { Request = random.Spread(Fast, Usual), Reply = random.Spread(Fast, Usual) };
        if (IsStoreAway(server))
        {
            call.Exchange?.Disturb();
            return delivery with { Request = null, Reply = null, Error = _hangsWhileAway ? null : delivery.Reply, IsFaulty = true };
        }

        // An operator deletes the very record, at the very moment, on the very server.
        if (IsOn && (call.Operation is StoreOperation.Complete or StoreOperation.Claim) && random.Chance(_plan.CallFaults / 4) && Happens(FaultKind.RecordDeleted, random.Next()))
        {
            Disturb(TimeSpan.Zero);
            _world.Scheduler.PostAfter(random.Spread(Fast, Usual), null, _ => server.Delete(call.Key), null);
        }

        if (!IsOn || !random.Chance(_plan.CallFaults))
        {
            return delivery;
        }

        var kind = (FaultKind)random.Below((int)FaultKind.DamagedRecord + 2) is var drawn && drawn > FaultKind.DamagedRecord ? FaultKind.CrashDuringCall : drawn;
        if (kind == FaultKind.DamagedRecord && call.Operation is not (StoreOperation.Claim or StoreOperation.Read))
        {
            kind = FaultKind.LostReply;
        }

        if (kind == FaultKind.CrashDuringCall && _world.Servers.Count(static server => !server.Process.IsDead) < 2)
        {
            kind = FaultKind.LateReply;
        }

        if (!Happens(kind, random.Next()))
        {
            return delivery;
        }

        var late = random.Spread(TimeSpan.FromMilliseconds(10), 3 * _plan.Policy.ClaimDuration);
        TimeSpan? error = random.Below(2) == 0 ? random.Spread(Fast, TimeSpan.FromSeconds(1)) : null;
        var (sent, isBefore) = (random.Below(2) == 0, random.Below(2) == 0);
        call.Exchange?.Disturb();
        Disturb(late + (error ?? StoreCalls.Budget));
        return kind switch
        {
            FaultKind.LostRequest => delivery with { Request = null, Reply = null, Error = error, IsFaulty = true },
            FaultKind.LostReply => delivery with { Reply = null, Error = error, IsFaulty = true },
            FaultKind.LateRequest => delivery with { Request = late, IsFaulty = true },
            FaultKind.LateReply => delivery with { Reply = late, IsFaulty = true },
            FaultKind.RequestAppliedAfterError => delivery with { Request = late, Error = sent ? late / 2 : Fast, IsFaulty = true },
            FaultKind.DamagedRecord => delivery with { IsDamaged = true, IsFaulty = true },
            _ => delivery with { CrashesWhenSent = isBefore, CrashesWhenApplied = !isBefore, IsFaulty = true },
        };
    }

    public bool IsStoreAway(Server server) => _storeAwayUntil > _world.Scheduler.Now || server.CutOffUntil > _world.Scheduler.Now;

    public TimeSpan Pause(Server server)
    {
        if (_plan.ThreadPauses == 0 || !IsOn)
        {
            return TimeSpan.Zero;
        }

        var random = new SeededRandom(IdOf(server, server.Steps++, 2));
        if (!random.Chance(_plan.ThreadPauses) || !Happens(FaultKind.ThreadPause, random.Next()))
        {
            return TimeSpan.Zero;
        }

        var pause = random.Spread(Fast, 2 * _plan.Policy.ClaimDuration);
        Disturb(pause);
        server.Disturb(pause);
        return pause;
    }

    public int? ClientLeavesAfter(ulong exchangeSeed)
    {
        var random = new SeededRandom(SeededRandom.Mix(exchangeSeed ^ 3));
        return IsOn && random.Chance(_plan.ClientLeaves) && Happens(FaultKind.ClientLeaves, random.Next()) ? random.Below(60) : null;
    }

    private bool IsOn => _world.Scheduler.Now < _plan.FaultsUntil;

    private ulong IdOf(Server server, long number, ulong what) => SeededRandom.Mix(_seed ^ ((ulong)server.Place << 60) ^ ((ulong)server.Life << 48) ^ (what << 44) ^ (ulong)number);

    private bool Happens(FaultKind kind, ulong id)
    {
        if (_plan.Faults?.Contains(id) == false)
        {
            return false;
        }

        Happened.Add(new InjectedFault(id, kind));
        if (kind is FaultKind.StoreAway or FaultKind.ServerCutOff or FaultKind.ClockSet or FaultKind.ThreadPause)
        {
            _world.Timeline.Add(null, kind, static kind => $"FAULT: {kind}"); // the others are told where they happen
        }

        return true;
    }

    private void Disturb(TimeSpan effect) => DisturbedUntil = Math.Max(DisturbedUntil, MonotonicTime.After(_world.Scheduler.Now, effect));

    private TimeSpan NextDisruption() => new(_disruptions.Between(1, 2 * _plan.DisruptionEvery.Ticks));

    private void Disrupt()
    {
        if (!IsOn)
        {
            return;
        }

        _world.Scheduler.PostAfter(NextDisruption(), null, static faults => ((SeededFaults)faults!).Disrupt(), this);
        var kind = (FaultKind)((int)FaultKind.StoreAway + _disruptions.Below(7));
        kind = kind switch { FaultKind.CrashDuringCall => FaultKind.ServerCrash, FaultKind.ThreadPause => FaultKind.ServerFreeze, _ => kind };
        if (_disruptions.Below(8) == 0)
        {
            kind = FaultKind.RecordDeleted;
        }

        var chosen = _disruptions.Below(_world.Servers.Count);
        var id = _disruptions.Next();
        if (!Happens(kind, id))
        {
            return;
        }

        var detail = new SeededRandom(id);

        var server = _world.Servers[chosen];
        var span = detail.Spread(TimeSpan.FromMilliseconds(1), 3 * _plan.Policy.ClaimDuration);
        switch (kind)
        {
            case FaultKind.StoreAway:
                _storeAwayUntil = _world.Scheduler.Now + span.Ticks;
                _hangsWhileAway = detail.Below(2) == 0;
                Disturb(span + StoreCalls.Budget);
                break;
            case FaultKind.ServerCutOff:
                server.CutOffUntil = _world.Scheduler.Now + span.Ticks;
                Disturb(span + StoreCalls.Budget);
                break;
            case FaultKind.ServerCrash:
                server.Crash();
                Disturb(_plan.Policy.ClaimDuration);
                break;
            case FaultKind.ServerFreeze:
                server.Freeze(span);
                Disturb(span);
                break;
            case FaultKind.ClockSet:
                server.Time.WallOffset += detail.Below(2) == 0 ? span * 100 : -span * 100;
                break;
            default:
                _world.DeleteRecord(server, detail.Below(1000), isElsewhere: detail.Below(3) == 0);
                break;
        }
    }
}
