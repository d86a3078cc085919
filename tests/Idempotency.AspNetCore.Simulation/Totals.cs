namespace Idempotency.AspNetCore.Simulation;

/// <summary>What many worlds came to.</summary>
internal sealed class Totals
{
    private readonly long[] _faults = new long[Enum.GetValues<FaultKind>().Length];

    public int Worlds { get; private set; }

    public long Operations { get; private set; }

    public long Events { get; private set; }

    public long Runs { get; private set; }

    public long Faults { get; private set; }

    public TimeSpan Time { get; set; }

    /// <summary>What of the time a processor worked on it: on a busy machine, that is less.</summary>
    public TimeSpan ProcessorTime { get; set; }

    public double OperationsPerMinute => Operations / Math.Max(ProcessorTime.TotalMinutes, 1e-9);

    public void Add(WorldResult result)
    {
        Worlds++;
        Operations += result.Operations;
        Events += result.Events;
        Runs += result.Runs;
        Faults += result.Faults.Count;
        foreach (var (_, kind) in result.Faults)
        {
            _faults[(int)kind]++;
        }
    }

    public override string ToString() =>
        $"{Worlds:N0} worlds, {Operations:N0} store operations, {Runs:N0} runs of handlers, {Events:N0} events, {Faults:N0} faults in {Time.TotalSeconds:0.0} s: {OperationsPerMinute:N0} operations a minute of processor time";

    public string FaultsByKind() => string.Join(", ", _faults.Select(static (count, kind) => $"{(FaultKind)kind} {count:N0}"));
}
