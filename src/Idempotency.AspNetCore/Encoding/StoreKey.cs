namespace Idempotency.AspNetCore;

/// <summary>The key a record is stored under: a SHA-256 over the caller's partition and the key, so that no store ever sees either.</summary>
/// <param name="Hash">The hash.</param>
public readonly record struct StoreKey(Sha256Hash Hash)
{
    /// <summary>64 hexadecimal digits, in lower case: the form in which log events, spans and the admin endpoints show it.</summary>
    public override string ToString() => Hash.ToString();
}
