namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>One slot of a variant, with the slots around it that it is set against.</summary>
/// <param name="Process">Which of the server processes, one after the other, it ran in.</param>
/// <param name="Own">The slot.</param>
/// <param name="Before">The baseline's slot before it.</param>
/// <param name="After">The baseline's slot after it.</param>
/// <param name="Floor">The floor's slot next to it; null for a variant without a floor.</param>
internal sealed record Slot(int Process, Sample Own, Sample Before, Sample After, Sample? Floor)
{
    /// <summary>Requests a second, as a ratio to the mean of the baseline's slots.</summary>
    public double Throughput => Own.Load.RequestsPerSecond / ((Before.Load.RequestsPerSecond + After.Load.RequestsPerSecond) / 2);

    /// <summary>Processor time of a request, as a ratio to the same.</summary>
    public double ProcessorTime => Own.MicrosecondsPerRequest / ((Before.MicrosecondsPerRequest + After.MicrosecondsPerRequest) / 2);

    /// <summary>Requests a second, as a ratio to the floor's.</summary>
    public double ToFloor => Floor is null ? double.NaN : Own.Load.RequestsPerSecond / Floor.Load.RequestsPerSecond;
}
