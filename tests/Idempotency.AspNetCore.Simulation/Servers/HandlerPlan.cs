namespace Idempotency.AspNetCore.Simulation;

/// <summary>What one run of a handler does, and how long it takes.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Before">How long it takes until its effect.</param>
/// <param name="After">How long it takes from there to its end.</param>
/// <param name="HeedsLoss">Whether it stops when its claim is lost.</param>
/// <param name="Steps">Its steps, which come before its effect; null for none.</param>
/// <param name="AreParallel">Whether its steps run at the same time.</param>
internal readonly record struct HandlerPlan(HandlerKind Kind, TimeSpan Before = default, TimeSpan After = default, bool HeedsLoss = false, StepPlan[]? Steps = null, bool AreParallel = false);
