namespace Idempotency.AspNetCore.Simulation;

/// <summary>Stores in memory reply at once.</summary>
internal static class SimulatedReplyExtensions
{
    public static T Reply<T>(this ValueTask<T> call) => call.IsCompleted
        ? call.GetAwaiter().GetResult()
        : throw new InvalidOperationException("A store of a simulated world replies at once; what is slow is the network.");
}
