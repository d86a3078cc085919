namespace Idempotency.AspNetCore;

/// <summary>A decoded payload that a cache may hold.</summary>
internal interface IDecodedPayload
{
    /// <summary>The memory that the decoded form needs in addition to the payload, in bytes. It can grow; code that makes it grow must cache the record again.</summary>
    long ExtraBytes { get; }
}
