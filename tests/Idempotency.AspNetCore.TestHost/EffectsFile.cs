using System.Text.Json;

namespace Idempotency.AspNetCore.TestHost;

/// <summary>Where this process writes its effects: a file of its own, so that no other process's write can land inside a line.</summary>
/// <remarks>Unbuffered, one write a line: what was written outlives <c>kill -9</c>.</remarks>
internal sealed class EffectsFile(string folder, string server) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly FileStream _file = new(Path.Combine(folder, $"{server}-{Environment.ProcessId}.effects"), FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);

    public void Append(Effect effect)
    {
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(effect), (byte)'\n'];
        lock (_lock)
        {
            _file.Write(line);
        }
    }

    public void Dispose() => _file.Dispose();
}
