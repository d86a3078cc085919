namespace Idempotency.AspNetCore;

/// <summary>What a retry must equal: a SHA-256 over what the policy says counts of a request or of a function's payload.</summary>
/// <param name="Hash">The hash.</param>
public readonly record struct Fingerprint(Sha256Hash Hash)
{
    /// <summary>64 hexadecimal digits, in lower case.</summary>
    public override string ToString() => Hash.ToString();
}
