namespace Idempotency.AspNetCore;

/// <summary>A step of a run, without its result.</summary>
internal sealed record RecordedStep(string Name, string State, int Attempt, DateTimeOffset At)
{
    public static IReadOnlyList<RecordedStep>? Of(IReadOnlyList<IdempotencyStepView> steps) =>
        steps.Count == 0 ? null : [.. steps.Select(static step => new RecordedStep(step.Name, step.State == StepState.Recorded ? "recorded" : "begun", step.Attempt, step.At))];
}
