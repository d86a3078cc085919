namespace Idempotency.AspNetCore.Simulation;

/// <summary>The synchronization context of one event of a process: what it awaits goes on as another event.</summary>
/// <remarks>
/// A new one for each event, because a task that ends in the context that is awaited for goes on at once, and then no crash, no pause and no other event could come between. So they can
/// come at every await that waits.
/// </remarks>
internal sealed class Strand(Process process) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state) => process.Post(d, state);

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("Nothing in a simulated world waits for another thread.");

    public override SynchronizationContext CreateCopy() => this;
}
