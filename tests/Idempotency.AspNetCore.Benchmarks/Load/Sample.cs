namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>One slot of load, seen from both sides.</summary>
/// <param name="Load">What the clients saw.</param>
/// <param name="BytesPerRequest">What the server's process allocated.</param>
/// <param name="MicrosecondsPerRequest">The processor time that the server's process took: it does not depend on what other processes take.</param>
internal sealed record Sample(Load Load, double BytesPerRequest, double MicrosecondsPerRequest)
{
    /// <summary>Aborts the benchmark when an answer was not what it should be: nobody should read the speed of errors.</summary>
    public Sample Expecting(string who, params int[] statuses)
    {
        var others = Load.Statuses.Where(pair => !statuses.Contains(pair.Key)).ToList();
        if (others.Count > 0 || Load.Missing > 0)
        {
            throw new InvalidOperationException(
                $"{who}: of {Load.Requests} answers {string.Join(", ", others.Select(pair => $"{pair.Value} had status {pair.Key}").Append($"{Load.Missing} were not what was asked for"))}.");
        }

        return this;
    }
}
