namespace Idempotency.AspNetCore.Simulation;

/// <summary>What goes wrong in a world, and when.</summary>
internal interface IFaults
{
    /// <summary>Until when the last thing that went wrong had an effect, in ticks; long ago while nothing has.</summary>
    long DisturbedUntil { get; }

    /// <summary>What the network makes of a call to the store.</summary>
    Delivery Deliver(Server server, StoreCall call);

    /// <summary>Whether a server cannot reach the store at the moment.</summary>
    bool IsStoreAway(Server server);

    /// <summary>How long a thread has to wait before its next step; zero nearly always.</summary>
    TimeSpan Pause(Server server);

    /// <summary>After how many bytes of its response a client leaves; null when it does not.</summary>
    int? ClientLeavesAfter(ulong exchangeSeed);
}
