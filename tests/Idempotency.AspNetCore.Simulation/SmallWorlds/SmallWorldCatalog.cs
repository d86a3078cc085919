namespace Idempotency.AspNetCore.Simulation;

/// <summary>The pairs that must not disturb each other, each as the smallest world in which they meet.</summary>
internal static class SmallWorldCatalog
{
    private static readonly TimeSpan Lease = SmallWorld.Lease;
    private static readonly TimeSpan Brief = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan AfterLease = Lease + TimeSpan.FromMilliseconds(1); // when a late request of the first moment arrives
    private static readonly IdempotencyPolicy Waiting = new() { ClaimDuration = Lease, Retention = TimeSpan.FromHours(1), WhenInProgress = InProgressBehavior.Wait, WaitTimeout = TimeSpan.FromMilliseconds(50) };
    private static readonly HandlerPlan Creates = new(HandlerKind.Creates);
    private static readonly HandlerPlan TwoSteps = Creates with { Steps = [new("reserve"), new("charge", Takes: Brief)] };
    private static readonly HandlerPlan OneStepOnce = Creates with { Steps = [new("charge", InterruptedStepBehavior.Refuse, Brief)] };

    public static IReadOnlyList<SmallWorld> All { get; } =
    [
        new()
        {
            Name = "claim and claim",
            Requests = [new(TimeSpan.Zero, 0), new(TimeSpan.Zero, 1)],
            Handlers = [Creates],
        },
        new()
        {
            Name = "claim and claim of another request",
            Requests = [new(TimeSpan.Zero, 0), new(TimeSpan.Zero, 1, Payment: 2)],
            Handlers = [Creates],
        },
        new()
        {
            Name = "claim and claim on one server",
            Requests = [new(TimeSpan.Zero, 0), new(TimeSpan.Zero, 0)],
            Handlers = [Creates],
        },
        new()
        {
            Name = "wait and complete on one server",
            Requests = [new(TimeSpan.Zero, 0), new(TimeSpan.Zero, 0)],
            Handlers = [Creates],
            Policy = Waiting,
        },
        new()
        {
            Name = "wait and release on one server",
            Requests = [new(TimeSpan.Zero, 0), new(TimeSpan.Zero, 0)],
            Handlers = [new(HandlerKind.Fails), Creates],
            Policy = Waiting,
        },
        new()
        {
            Name = "wait and complete",
            Requests = [new(TimeSpan.Zero, 0), new(Brief, 1)],
            Handlers = [Creates with { Before = Brief }, Creates],
            Policy = Waiting,
        },
        new()
        {
            Name = "claim and complete",
            Requests = [new(TimeSpan.Zero, 0), new(Brief, 1)],
            Handlers = [Creates with { Before = Brief }, Creates],
        },
        new()
        {
            Name = "renew and complete",
            Requests = [new(TimeSpan.Zero, 0), new(Lease / 3, 1)],
            Handlers = [Creates with { Before = Lease / 3 }, Creates],
        },
        new()
        {
            // The first server stands still from its handler's start until its claim has been taken over; then both complete at once.
            Name = "takeover and late complete",
            Requests = [new(TimeSpan.Zero, 0), new(AfterLease, 1)],
            Handlers = [Creates with { Before = Brief }, Creates with { Before = Brief }],
            Freeze = (Brief / 2, AfterLease + (Brief / 2)),
        },
        new()
        {
            // The same, and the second attempt ends when the first thaws, having failed.
            Name = "takeover and late release",
            Requests = [new(TimeSpan.Zero, 0), new(AfterLease, 1)],
            Handlers = [new(HandlerKind.Fails, Brief), Creates with { Before = Brief }],
            Freeze = (Brief / 2, AfterLease + (Brief / 2)),
        },
        new()
        {
            Name = "release and claim",
            Requests = [new(TimeSpan.Zero, 0), new(Brief, 1)],
            Handlers = [new(HandlerKind.Fails, Brief), Creates],
        },
        new()
        {
            // A late mark arrives when the claim is taken over; or it was there in time, and nothing may run.
            Name = "mark and takeover",
            Requests = [new(TimeSpan.Zero, 0), new(AfterLease, 1)],
            Handlers = [new(HandlerKind.Marks, Brief), Creates],
            Freeze = (Brief / 2, 2 * Lease),
        },
        new()
        {
            // The first server stands still in its second step, until its claim has been taken over; then both record that step at once.
            Name = "step and takeover",
            Requests = [new(TimeSpan.Zero, 0), new(AfterLease, 1)],
            Handlers = [TwoSteps],
            Freeze = (Brief / 2, AfterLease + (Brief / 2)),
        },
        new()
        {
            Name = "step that must not run twice and takeover",
            Requests = [new(TimeSpan.Zero, 0), new(AfterLease, 1)],
            Handlers = [OneStepOnce],
            Freeze = (Brief / 2, AfterLease + (Brief / 2)),
        },
        new()
        {
            // The first attempt fails after a step, and its release meets the claim that goes on from there.
            Name = "release with a step and claim",
            Requests = [new(TimeSpan.Zero, 0), new(Brief, 1)],
            Handlers = [new(HandlerKind.Fails, After: Brief, Steps: [new("charge")]), TwoSteps],
        },
        new()
        {
            // One of two steps at the same time fails and ends the attempt; the other is recorded when the next comes.
            Name = "steps at the same time and claim",
            Requests = [new(TimeSpan.Zero, 0), new(Brief, 1)],
            Handlers = [Creates with { Steps = [new("reserve", Fails: true), new("charge", InterruptedStepBehavior.Refuse, Brief)], AreParallel = true }, TwoSteps],
        },
        new()
        {
            // The reply to the completion is lost, and everybody asks again at the moment at which its server does.
            Name = "commit unknown and retry",
            Requests = [new(TimeSpan.Zero, 0) { RetryAfter = TimeSpan.FromMilliseconds(50) }, new(TimeSpan.FromMilliseconds(1), 1) { RetryAfter = TimeSpan.FromMilliseconds(50) }],
            Handlers = [Creates],
        },
    ];
}
