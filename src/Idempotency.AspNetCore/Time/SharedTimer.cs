namespace Idempotency.AspNetCore;

/// <summary>Timers that serve all requests.</summary>
internal static class SharedTimer
{
    /// <summary>Creates a timer without the ambient state (log scopes, activity) of the request that happens to create it.</summary>
    public static ITimer Create(TimeProvider time, TimerCallback callback, object state, TimeSpan period)
    {
        if (ExecutionContext.IsFlowSuppressed())
        {
            return time.CreateTimer(callback, state, period, period);
        }

        using (ExecutionContext.SuppressFlow())
        {
            return time.CreateTimer(callback, state, period, period);
        }
    }
}
