using System.Globalization;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>What a request asks of the handler, should it be the one that runs.</summary>
/// <param name="Gate">Holds until it is open.</param>
/// <param name="Delay">Takes this long.</param>
/// <param name="Fail">Answers 500 in the end.</param>
public sealed record Ask(FileGate? Gate = null, TimeSpan Delay = default, bool Fail = false)
{
    public static Ask Nothing { get; } = new();

    public void ApplyTo(HttpRequestMessage request)
    {
        if (Gate is not null)
        {
            request.Headers.Add("Test-Gate", Gate.Path);
        }

        if (Delay > TimeSpan.Zero)
        {
            request.Headers.Add("Test-Delay", Delay.TotalMilliseconds.ToString("F0", CultureInfo.InvariantCulture));
        }

        if (Fail)
        {
            request.Headers.Add("Test-Fail", "true");
        }
    }
}
