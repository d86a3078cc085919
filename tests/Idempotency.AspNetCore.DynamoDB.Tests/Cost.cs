using System.Globalization;

namespace Idempotency.AspNetCore.DynamoDB.Tests;

/// <summary>What DynamoDB charges for a request.</summary>
internal sealed record Cost(IReadOnlyList<Charge> Calls)
{
    public double WriteUnits => Calls.Where(call => !call.IsRead).Sum(call => call.Units);

    public double ReadUnits => Calls.Where(call => call.IsRead).Sum(call => call.Units);

    /// <summary>The cells of the README's table.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Calls.Count} | {(Calls.Count == 0 ? "-" : string.Join(" + ", Calls.Select(call => call.Bytes)))} | {WriteUnits} | {ReadUnits}");
}
