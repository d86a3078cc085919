namespace Idempotency.AspNetCore;

/// <summary>What a protected handler can know of its own run: <c>HttpContext.Features.Get&lt;IIdempotencyFeature&gt;()</c>.</summary>
public interface IIdempotencyFeature : IIdempotentRun;
