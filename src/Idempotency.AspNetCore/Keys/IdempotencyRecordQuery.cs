namespace Idempotency.AspNetCore;

/// <summary>Identifies a request by the values that its client knows.</summary>
public sealed record IdempotencyRecordQuery
{
    /// <summary>The HTTP method, in upper case as it was sent.</summary>
    public required string Method { get; init; }

    /// <summary>The path as the client sent it, unescaped, with the path base: <c>/payments</c>.</summary>
    public required string Path { get; init; }

    /// <summary>The value of the key header, bare or in quotation marks. (A request whose body is its key can only be found by its stored key.)</summary>
    public required string Key { get; init; }

    /// <summary>The value that <see cref="IdempotencyPolicy.Partition"/> returned for the caller, if the endpoint's policy has such a function. Null (the default) otherwise.</summary>
    public string? Partition { get; init; }

    /// <summary>
    /// The authenticated caller's subject (<c>sub</c>), name identifier or name, if the policy has no <see cref="IdempotencyPolicy.Partition"/>.
    /// Null (the default) for an anonymous caller. Records of callers with several identities can only be found by their stored key.
    /// </summary>
    public string? Subject { get; init; }

    /// <summary>
    /// The authenticated client's <c>client_id</c>, <c>azp</c> or <c>appid</c>, for a caller without a <see cref="Subject"/>. Null (the default) otherwise.
    /// </summary>
    public string? ClientId { get; init; }

    /// <summary>The issuer of the caller's subject or client; the authentication scheme if the application itself issued it. Required with <see cref="Subject"/> and <see cref="ClientId"/>.</summary>
    public string? Issuer { get; init; }
}
