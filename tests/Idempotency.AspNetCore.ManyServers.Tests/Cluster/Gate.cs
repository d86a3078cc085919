namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Holds a handler in another process until a test opens it: a file that is there or not.</summary>
public sealed class Gate(string folder)
{
    public string Path { get; } = System.IO.Path.Combine(folder, $"{Guid.NewGuid():N}.gate");

    public void Open() => File.WriteAllText(Path, "");
}
