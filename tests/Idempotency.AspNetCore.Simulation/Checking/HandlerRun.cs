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
