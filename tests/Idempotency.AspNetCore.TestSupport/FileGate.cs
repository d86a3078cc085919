namespace Idempotency.AspNetCore.Tests;

/// <summary>Holds a handler in another process until a test opens it: a file that is there or not.</summary>
public sealed class FileGate(string folder)
{
    /// <summary>The file that the other process waits for.</summary>
    public string Path { get; } = System.IO.Path.Combine(folder, $"{Guid.NewGuid():N}.gate");

    /// <summary>Lets everybody through, now and later.</summary>
    public void Open() => File.WriteAllText(Path, "");
}
