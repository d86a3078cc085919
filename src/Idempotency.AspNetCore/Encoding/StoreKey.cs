namespace Idempotency.AspNetCore;

/// <summary>The key that a record is stored under: a SHA-256 over the caller's partition and the idempotency key, so that a store sees neither.</summary>
/// <param name="Hash">The hash.</param>
public readonly record struct StoreKey(Sha256Hash Hash)
{
    /// <summary>Returns 64 hexadecimal digits in lower case, as in log events, spans and the admin endpoints.</summary>
    public override string ToString() => Hash.ToString();
}
