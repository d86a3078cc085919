namespace Idempotency.AspNetCore;

/// <summary>Identifies the content of a request or of a function's payload: a SHA-256 over the parts that the policy compares. A retry must have the same fingerprint.</summary>
/// <param name="Hash">The hash.</param>
public readonly record struct Fingerprint(Sha256Hash Hash)
{
    /// <summary>Returns 64 hexadecimal digits in lower case.</summary>
    public override string ToString() => Hash.ToString();
}
