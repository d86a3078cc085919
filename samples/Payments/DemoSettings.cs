using Idempotency.AspNetCore;

namespace Payments;

/// <summary>What the demo page must know of the server: how its own cache can never outlive the server's records, and how replays are marked; and whether there is a dashboard to link to.</summary>
public sealed record DemoSettings(double RetentionSeconds, string HeaderName, string? ReplayFlagName, bool HasDashboard)
{
    public static DemoSettings Of(IdempotencyPolicy policy, bool hasDashboard)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new DemoSettings(policy.Retention.TotalSeconds, policy.HeaderName, policy.ReplayFlagName, hasDashboard);
    }
}
