namespace Idempotency.AspNetCore;

/// <summary>The source of a request's key. The values are part of the stored format.</summary>
internal enum KeyOrigin : byte
{
    /// <summary>The key header.</summary>
    Header = 1,

    /// <summary>The whole body.</summary>
    Body = 2,

    /// <summary>The values selected by <see cref="IdempotencyPolicy.KeySelector"/>.</summary>
    Selection = 3,
}
