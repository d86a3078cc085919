namespace Idempotency.AspNetCore;

/// <summary>The kinds of recorded results. The numbers are part of the format of <see cref="StoredResult"/>.</summary>
internal enum ResultKind : byte
{
    /// <summary>The work is complete and has no result.</summary>
    None = 0,

    /// <summary>The result is null. A separate kind, because not every JSON converter reads <c>null</c> as null.</summary>
    Null = 1,

    /// <summary>The result is recorded.</summary>
    Json = 2,

    /// <summary>The result is recorded and compressed with Brotli (RFC 7932).</summary>
    CompressedJson = 3,

    /// <summary>The result was not recorded: it was too large, or could not be serialized.</summary>
    NotKept = 4,
}
