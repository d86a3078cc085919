namespace Idempotency.AspNetCore;

/// <summary>Remembers whether <c>UseIdempotency()</c> was called, for the start-up checks.</summary>
internal sealed class UseIdempotencyMarker
{
    public bool WasUsed { get; set; }
}
