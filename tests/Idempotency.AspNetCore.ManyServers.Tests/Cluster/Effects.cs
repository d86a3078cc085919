using System.Text.Json;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>What the handlers of all servers wrote, read as it grows.</summary>
public sealed class Effects(string folder)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _read = [];
    private readonly Dictionary<string, List<Effect>> _byKey = [];

    /// <summary>Those of one key, in the order they began.</summary>
    internal IReadOnlyList<Effect> Of(string key)
    {
        lock (_lock)
        {
            foreach (var path in Directory.EnumerateFiles(folder, "*.effects"))
            {
                ReadOn(path);
            }

            return _byKey.TryGetValue(key, out var effects) ? [.. effects.OrderBy(effect => effect.At)] : [];
        }
    }

    private void ReadOn(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Position = _read.GetValueOrDefault(path);
        var added = new byte[file.Length - file.Position];
        file.ReadExactly(added);
        var whole = added.AsSpan()[..(added.AsSpan().LastIndexOf((byte)'\n') + 1)]; // a line that is just being written is read next time
        _read[path] = _read.GetValueOrDefault(path) + whole.Length;
        foreach (var line in whole.Split((byte)'\n'))
        {
            if (whole[line] is { IsEmpty: false } text)
            {
                var effect = JsonSerializer.Deserialize<Effect>(text)!;
                if (!_byKey.TryGetValue(effect.Key, out var effects))
                {
                    _byKey.Add(effect.Key, effects = []);
                }

                effects.Add(effect);
            }
        }
    }
}
