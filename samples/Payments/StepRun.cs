namespace Payments;

/// <summary>One row for each time the work of a step ran.</summary>
/// <param name="Key">The request's key.</param>
/// <param name="Step">The step's name.</param>
/// <param name="Attempt">The attempt that ran it.</param>
public sealed record StepRun(string Key, string Step, int Attempt)
{
    public int Id { get; init; }
}
