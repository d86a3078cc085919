using Idempotency.AspNetCore;

namespace Payments;

/// <summary>The server settings that the demo page needs: the retention, so that its own cache does not outlive the server's records, and the marks of replays.</summary>
public sealed record DemoSettings(double RetentionSeconds, string HeaderName, string? ReplayFlagName)
{
    public static DemoSettings Of(IdempotencyPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new DemoSettings(policy.Retention.TotalSeconds, policy.HeaderName, policy.ReplayFlagName);
    }
}
