namespace Idempotency.AspNetCore.Simulation;

/// <summary>A request of a small world.</summary>
/// <param name="At">When it is sent.</param>
/// <param name="Server">To which server.</param>
/// <param name="Retries">How often it is sent again while its answer is not final.</param>
/// <param name="Payment">What it says; another number is another request.</param>
internal sealed record ScriptedRequest(TimeSpan At, int Server, int Retries = 2, int Payment = 1)
{
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(2);
}
