namespace Idempotency.AspNetCore;

/// <summary>What is kept of a result. The numbers are part of the format of <see cref="StoredResult"/>.</summary>
internal enum ResultKind : byte
{
    /// <summary>The work has no result: it is done.</summary>
    None = 0,

    /// <summary>The result is null: a kind of its own, because not every JSON converter reads <c>null</c> back as null.</summary>
    Null = 1,

    /// <summary>The result is there.</summary>
    Json = 2,

    /// <summary>The same, compressed with Brotli (RFC 7932).</summary>
    CompressedJson = 3,

    /// <summary>There was a result, and it could not be kept: too large, or not to be written.</summary>
    NotKept = 4,
}
