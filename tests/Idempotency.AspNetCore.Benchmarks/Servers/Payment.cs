namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What is sent.</summary>
internal sealed record Payment(string Name, decimal Amount)
{
    /// <summary>The body that is sent by default. The answer to it has 31 bytes.</summary>
    public const string SmallBody = """{"name":"Ann","amount":12.5}""";

    /// <summary>A body of so many bytes. The answer to it has about as many.</summary>
    public static string BodyOf(int size) => $$"""{"name":"{{NameFor(size)}}","amount":12.5}""";

    /// <summary>The name that makes a body so large: text that compresses as text does, to about two thirds.</summary>
    public static string NameFor(int size) => string.Create(size - 25, new Random(1), static (text, random) =>
    {
        for (var i = 0; i < text.Length; i++)
        {
            text[i] = "etaoinshrdlucmfwypvbgkjqxz 0123456789"[random.Next(37)];
        }
    });
}
