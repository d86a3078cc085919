namespace Idempotency.AspNetCore.Simulation;

/// <summary>The work of a step, run once. Its number is its result: no other work has it.</summary>
internal sealed class StepWork(int number, HandlerRun run, string name, bool isOnce)
{
    public int Number { get; } = number;

    public HandlerRun Run { get; } = run;

    public string Name { get; } = name;

    /// <summary>Whether it must never run twice.</summary>
    public bool IsOnce { get; } = isOnce;

    public bool HasEnded { get; set; }

    /// <summary>Whether its handler has its result.</summary>
    public bool WasTold { get; set; }

    public override string ToString() => $"step '{Name}' (work {Number}) of {Run}";
}
