namespace Idempotency.AspNetCore;

/// <summary>Where a request's key is from. The values are part of what stores keep.</summary>
internal enum KeyOrigin : byte
{
    /// <summary>The key header.</summary>
    Header = 1,

    /// <summary>The whole body.</summary>
    Body = 2,

    /// <summary>What <see cref="IdempotencyPolicy.KeySelector"/> selects.</summary>
    Selection = 3,
}
