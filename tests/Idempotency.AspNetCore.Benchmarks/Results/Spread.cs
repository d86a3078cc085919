namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Values in order: the least, the quartiles, the most.</summary>
internal readonly record struct Spread(double Least, double Lower, double Median, double Upper, double Most)
{
    public static Spread Of(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0
            ? new Spread(double.NaN, double.NaN, double.NaN, double.NaN, double.NaN)
            : new Spread(sorted[0], At(sorted, 0.25), At(sorted, 0.5), At(sorted, 0.75), sorted[^1]);
    }

    private static double At(double[] sorted, double part)
    {
        var place = part * (sorted.Length - 1);
        var below = (int)place;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (place - below));
    }
}
