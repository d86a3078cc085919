using System.Globalization;
using System.Text;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>What happened in a world, in words. Off unless somebody wants to read it: a world is run once more for that.</summary>
internal sealed class Timeline(bool isOn, Func<long> now)
{
    private readonly List<(long At, string? Key, string What)> _entries = [];

    public bool IsOn => isOn;

    /// <summary>Adds something.</summary>
    /// <param name="key">The key it is about; null for what is about more.</param>
    /// <param name="what">Says it in words, if somebody listens.</param>
    /// <param name="argument">What it says it with.</param>
    public void Add<T>(string? key, T argument, Func<T, string> what)
    {
        if (isOn)
        {
            _entries.Add((now(), key, what(argument)));
        }
    }

    /// <summary>The life of one key, with what happened to all; or all there was.</summary>
    public string Of(string? key)
    {
        var text = new StringBuilder();
        foreach (var (at, of, what) in _entries)
        {
            if (key is null || of is null || of == key)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"  t={TimeSpan.FromTicks(at).TotalSeconds,10:0.0000}s  {what}");
            }
        }

        return text.ToString();
    }
}
