namespace Idempotency.AspNetCore.Simulation;

/// <summary>What goes wrong.</summary>
internal enum FaultKind
{
    LostRequest,
    LostReply,
    LateRequest,
    LateReply,
    RequestAppliedAfterError,
    DamagedRecord,
    StoreAway,
    ServerCutOff,
    ServerCrash,
    CrashDuringCall,
    ServerFreeze,
    ThreadPause,
    ClockSet,
    RecordDeleted,
    ClientLeaves,
}
