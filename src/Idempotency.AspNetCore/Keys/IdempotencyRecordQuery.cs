namespace Idempotency.AspNetCore;

/// <summary>What names a request, in the client's terms.</summary>
public sealed record IdempotencyRecordQuery
{
    /// <summary>The HTTP method, in upper case as it was sent.</summary>
    public required string Method { get; init; }

    /// <summary>The path as the client wrote it, unescaped, with the path base: <c>/payments</c>.</summary>
    public required string Path { get; init; }

    /// <summary>The value of the key header, bare or in quotation marks. (A request whose body is its key is named by its stored key only.)</summary>
    public required string Key { get; init; }

    /// <summary>What <see cref="IdempotencyPolicy.Partition"/> returned for the caller, where the endpoint's policy has one. Null (the default) otherwise.</summary>
    public string? Partition { get; init; }

    /// <summary>
    /// The authenticated caller's subject (<c>sub</c>), name identifier or name, where the policy has no <see cref="IdempotencyPolicy.Partition"/>.
    /// Null (the default) for an anonymous caller. Callers with several identities are named by their stored key only.
    /// </summary>
    public string? Subject { get; init; }

    /// <summary>
    /// The authenticated client's <c>client_id</c>, <c>azp</c> or <c>appid</c>, for a caller that has no <see cref="Subject"/>. Null (the default) otherwise.
    /// </summary>
    public string? ClientId { get; init; }

    /// <summary>The issuer of the caller's subject or client; the authentication scheme, where the application itself issued it. Needed with <see cref="Subject"/> and <see cref="ClientId"/>.</summary>
    public string? Issuer { get; init; }
}
