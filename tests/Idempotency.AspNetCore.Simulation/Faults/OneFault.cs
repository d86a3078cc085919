namespace Idempotency.AspNetCore.Simulation;

/// <summary>At most one fault, at any call to the store, of any kind that a call can meet: which is a choice like any other.</summary>
/// <param name="world">The world.</param>
/// <param name="choices">Its choices.</param>
/// <param name="isDisturbed">Whether something goes wrong in it anyway.</param>
internal sealed class OneFault(World world, IChoices choices, bool isDisturbed) : IFaults
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);
    private bool _hasHappened;

    public long DisturbedUntil => _hasHappened || isDisturbed ? long.MaxValue / 2 : long.MinValue / 2;

    public Delivery Deliver(Server server, StoreCall call)
    {
        var works = new Delivery { Request = TimeSpan.Zero, Reply = TimeSpan.Zero };
        if (_hasHappened)
        {
            return works;
        }

        var late = world.Plan.Policy.ClaimDuration + TimeSpan.FromMilliseconds(1);
        var fault = choices.Choose(9, world.Scheduler.Now);
        _hasHappened = fault != 0;
        if (fault != 0)
        {
            call.Exchange?.Disturb();
            server.Disturb(2 * late);
        }

        return fault switch
        {
            0 => works,
            1 => works with { Request = null, Reply = null, Error = Soon, IsFaulty = true },
            2 => works with { Request = null, Reply = null, IsFaulty = true },
            3 => works with { Reply = null, Error = Soon, IsFaulty = true },
            4 => works with { Request = late, IsFaulty = true },
            5 => works with { Request = late, Error = Soon, IsFaulty = true },
            6 => works with { Reply = late, IsFaulty = true },
            7 => works with { CrashesWhenSent = true, IsFaulty = true },
            _ => works with { CrashesWhenApplied = true, IsFaulty = true },
        };
    }

    public bool IsStoreAway(Server server) => false;

    public TimeSpan Pause(Server server) => TimeSpan.Zero;

    public int? ClientLeavesAfter(ulong exchangeSeed) => null;
}
