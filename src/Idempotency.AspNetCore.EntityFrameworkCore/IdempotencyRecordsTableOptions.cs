using Microsoft.EntityFrameworkCore;

namespace Idempotency.AspNetCore;

/// <summary>The names of the idempotency records table and its columns; see <see cref="IdempotencyModelBuilderExtensions.AddIdempotencyRecords"/>. The store reads the names from the model.</summary>
/// <remarks>A column without a name here is named by the model's conventions, from the name in this class (<c>GoneAtColumn</c>: <c>GoneAt</c>).</remarks>
public sealed class IdempotencyRecordsTableOptions
{
    /// <summary>The table. Default: <c>IdempotencyRecords</c>.</summary>
    public string? Table { get; set; }

    /// <summary>The schema. Default: the model's.</summary>
    public string? Schema { get; set; }

    /// <summary>The primary key: a SHA-256 of caller, method, path and key, 32 bytes.</summary>
    public string? KeyColumn { get; set; }

    /// <summary>The state: 0 in progress; 1 in progress, and its effects may have started; 2 completed.</summary>
    public string? StatusColumn { get; set; }

    /// <summary>The random token of the attempt that owns the claim.</summary>
    public string? OwnerColumn { get; set; }

    /// <summary>The number of the attempt: 1, and one more for each takeover.</summary>
    public string? AttemptColumn { get; set; }

    /// <summary>A SHA-256 of the request, 32 bytes.</summary>
    public string? FingerprintColumn { get; set; }

    /// <summary>The time when the lease ends, in milliseconds since 1970, by the database's clock; 0 once completed.</summary>
    public string? LeaseUntilColumn { get; set; }

    /// <summary>The time when the record is gone and can be deleted, in milliseconds since 1970. It has an index.</summary>
    public string? GoneAtColumn { get; set; }

    /// <summary>The recorded response, or the recorded steps of a record in progress, null if there are none. Versioned binary formats.</summary>
    public string? PayloadColumn { get; set; }

    /// <summary>The version of the steps in <see cref="PayloadColumn"/>; null if there are none, and once completed.</summary>
    public string? StepsVersionColumn { get; set; }
}
