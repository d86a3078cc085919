namespace Idempotency.AspNetCore.Simulation;

/// <summary>What a server asks of the store.</summary>
internal enum StoreOperation
{
    Claim,
    Renew,
    Mark,
    SaveSteps,
    Complete,
    Release,
    Read,
    Delete,
}
