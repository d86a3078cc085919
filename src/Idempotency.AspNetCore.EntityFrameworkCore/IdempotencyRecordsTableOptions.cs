using Microsoft.EntityFrameworkCore;

namespace Idempotency.AspNetCore;

/// <summary>What the table of idempotency records and its columns are called, see <see cref="IdempotencyModelBuilderExtensions.AddIdempotencyRecords"/>. The store reads the names from the model.</summary>
/// <remarks>A column that is not named here is called what the model's conventions make of the name in this class (<c>GoneAtColumn</c>: <c>GoneAt</c>).</remarks>
public sealed class IdempotencyRecordsTableOptions
{
    /// <summary>The table. Default: <c>IdempotencyRecords</c>.</summary>
    public string? Table { get; set; }

    /// <summary>The schema. Default: the model's.</summary>
    public string? Schema { get; set; }

    /// <summary>The primary key: a SHA-256 of caller, method, path and key, 32 bytes.</summary>
    public string? KeyColumn { get; set; }

    /// <summary>The state: 0 in progress; 1 in progress, and its effects may have begun; 2 completed.</summary>
    public string? StatusColumn { get; set; }

    /// <summary>The random token of the attempt that claimed it.</summary>
    public string? OwnerColumn { get; set; }

    /// <summary>1, and one more for each takeover.</summary>
    public string? AttemptColumn { get; set; }

    /// <summary>A SHA-256 of the request, 32 bytes.</summary>
    public string? FingerprintColumn { get; set; }

    /// <summary>When the claim lapses, in milliseconds since 1970, by the database's clock; 0 once completed.</summary>
    public string? LeaseUntilColumn { get; set; }

    /// <summary>When the record is over and may be removed, likewise. It has an index.</summary>
    public string? GoneAtColumn { get; set; }

    /// <summary>The recorded response; while in progress the recorded steps, null when there are none. Versioned binary formats.</summary>
    public string? PayloadColumn { get; set; }

    /// <summary>The version of the steps in <see cref="PayloadColumn"/>; null when there are none, and once completed.</summary>
    public string? StepsVersionColumn { get; set; }
}
