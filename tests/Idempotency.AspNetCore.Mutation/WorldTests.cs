namespace Idempotency.AspNetCore.Simulation;

/// <summary>The same worlds for every mutant: one that breaks a promise in none of them survives.</summary>
public sealed class WorldTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(26)]
    [InlineData(51)]
    [InlineData(76)]
    public void Worlds_keep_every_promise(int firstSeed)
    {
        var (_, failed) = Simulator.RunMany((ulong)firstSeed, TimeSpan.MaxValue, most: 25);
        Assert.True(failed is null, $"{failed?.Violation}");
    }
}
