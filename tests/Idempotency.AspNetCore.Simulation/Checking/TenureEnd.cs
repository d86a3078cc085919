namespace Idempotency.AspNetCore.Simulation;

/// <summary>How a claim's time with its key ended.</summary>
internal enum TenureEnd
{
    None,
    Completed,
    Released,
    Superseded,
    Deleted,
}
