namespace Idempotency.AspNetCore.Simulation;

/// <summary>Choices drawn from a seed.</summary>
internal sealed class SeededChoices(ulong seed) : IChoices
{
    private SeededRandom _random;
    private long _moment = -1;

    public bool AreExhaustive => false;

    public int Choose(int count, long moment)
    {
        if (moment != _moment)
        {
            _moment = moment;
            _random = new SeededRandom(SeededRandom.Mix(seed ^ (ulong)moment));
        }

        return _random.Below(count);
    }
}
