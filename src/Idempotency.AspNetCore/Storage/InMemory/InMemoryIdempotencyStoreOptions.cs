namespace Idempotency.AspNetCore;

/// <summary>The bounds of the in-memory store. When one is reached, new keys are refused (503) until records expire; nothing is evicted.</summary>
public sealed class InMemoryIdempotencyStoreOptions
{
    /// <summary>The most records, in progress and completed. Default: 5 000 000.</summary>
    public int MaxRecords { get; set; } = 5_000_000;

    /// <summary>
    /// The most memory for records, in bytes, with what the store needs for itself (about 350 bytes a record). Answers that are under way
    /// when it is reached are still kept, so it may be passed by as many answers as run at once. Default: 1 GiB (1 073 741 824).
    /// </summary>
    public long MaxBytes { get; set; } = 1024L * 1024 * 1024;
}
