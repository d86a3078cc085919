namespace Idempotency.AspNetCore.Simulation;

/// <summary>One run of the handler.</summary>
internal sealed class HandlerRun(int number, Exchange exchange, Tenure? tenure, HandlerPlan plan)
{
    public int Number { get; } = number;

    public Exchange Exchange { get; } = exchange;

    /// <summary>The claim it runs under; null when the policy lets it run without one.</summary>
    public Tenure? Tenure { get; } = tenure;

    public HandlerPlan Plan { get; } = plan;

    public long StartedAt { get; init; }

    public bool HasMarked { get; set; }

    public bool HasEnded { get; set; }

    /// <summary>The steps whose work it ran, first first.</summary>
    public List<StepWork> Works { get; } = [];

    /// <summary>Whether it runs, or a step does that it left behind.</summary>
    public bool IsRunning => (!HasEnded || Works.Exists(static work => !work.HasEnded)) && !Exchange.Server!.Process.IsDead;

    /// <summary>Whether it has begun what must not happen twice, and does not know that it is recorded.</summary>
    public bool IsOutcomeUnknown => HasMarked || Works.Exists(static work => work is { IsOnce: true, WasTold: false });

    /// <summary>The status it ended with; null when it failed, and before its end.</summary>
    public int? Status { get; set; }

    public string? Body { get; set; }

    /// <summary>Whether its client was told that it is not recorded, as is promised when the store is away.</summary>
    public bool WasToldUnstored { get; set; }

    /// <summary>Whether its body is too large to be recorded, or streams.</summary>
    public bool IsBodyLost => Plan.Kind is HandlerKind.Streams or HandlerKind.WritesMuch;

    /// <summary>Whether it ran to completion: it ended in a response that is recorded.</summary>
    public bool IsComplete => Status is { } status && IdempotencyPolicy.IsStoredByDefault(status);

    public override string ToString() => $"run {Number} ({Plan.Kind}) on {Exchange.Server!.Name}";
}
