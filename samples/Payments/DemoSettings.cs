using Idempotency.AspNetCore;

namespace Payments;

/// <summary>What the demo page must know of the server: how its own cache can never outlive the server's records, and how replays are marked.</summary>
public sealed record DemoSettings(double RetentionSeconds, string HeaderName, string? ReplayFlagName)
{
    public static DemoSettings Of(IdempotencyPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new DemoSettings(policy.Retention.TotalSeconds, policy.HeaderName, policy.ReplayFlagName);
    }
}
