namespace Idempotency.AspNetCore;

/// <summary>A decoded payload that a cache may hold.</summary>
internal interface IDecodedPayload
{
    /// <summary>The memory it takes beside the payload, in bytes. It may grow; whoever makes it grow caches the record again.</summary>
    long ExtraBytes { get; }
}
