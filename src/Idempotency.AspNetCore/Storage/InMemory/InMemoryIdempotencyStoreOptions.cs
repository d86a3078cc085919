namespace Idempotency.AspNetCore;

/// <summary>The limits of the in-memory store. When one is reached, requests with new keys are rejected with 503 until records expire; nothing is evicted.</summary>
public sealed class InMemoryIdempotencyStoreOptions
{
    /// <summary>The maximum number of records, in progress and completed. Default: 5 000 000.</summary>
    public int MaxRecords { get; set; } = 5_000_000;

    /// <summary>
    /// The maximum memory for records in bytes, including the overhead of the store (about 350 bytes per record). Responses of requests that are already running
    /// when the limit is reached are still recorded, so it can be exceeded by those. Default: 1 GiB (1 073 741 824).
    /// </summary>
    public long MaxBytes { get; set; } = 1024L * 1024 * 1024;
}
