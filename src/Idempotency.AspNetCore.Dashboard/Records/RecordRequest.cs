namespace Idempotency.AspNetCore;

/// <summary>Which record is meant: by its stored key, or by what a client knows of its request.</summary>
internal sealed record RecordRequest(string? StoreKey, string? Method, string? Path, string? Key, string? Partition, string? Issuer, string? Subject, string? ClientId);
