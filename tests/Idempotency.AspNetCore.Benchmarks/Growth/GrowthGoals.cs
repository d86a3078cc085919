namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The goals for bodies of every size and any number of connections, each set against what was measured in this run.</summary>
internal sealed class GrowthGoals
{
    private const double LeastToFloor = 0.95;
    private const double LeastOfWarm = 1;

    private readonly Table _table = new("with", "request", "to bare, at least", "measured", "holds", "to its floor, at least", "measured", "holds", "the floor, to bare");

    public bool IsEmpty { get; private set; } = true;

    public void Add(string with, IReadOnlyList<Variant> variants, double leastOfFirst)
    {
        IsEmpty = false;
        foreach (var (name, least) in ((string, double)[])[(Variants.First, leastOfFirst), (Variants.Warm, LeastOfWarm)])
        {
            var variant = variants.Single(variant => variant.Name == name);
            var (toBare, toFloor) = (variant.Throughput, variant.ToFloor);
            _table.Add(
                with,
                name,
                $"{least:0.00}x",
                Goals.MeasureOf(toBare),
                Goals.YesOrNo(toBare.Lower >= least),
                $"{LeastToFloor:0.00}x",
                Goals.MeasureOf(toFloor),
                Goals.YesOrNo(toFloor.Lower >= LeastToFloor),
                $"{variant.Floor!.Throughput.Median:F2}x");
        }
    }

    public override string ToString() => _table.ToString();
}
