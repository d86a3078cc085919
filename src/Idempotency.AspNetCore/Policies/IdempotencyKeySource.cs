namespace Idempotency.AspNetCore;

/// <summary>Where the idempotency key of a request comes from.</summary>
public enum IdempotencyKeySource
{
    /// <summary>The request header named by <see cref="IdempotencyPolicy.HeaderName"/>. The default.</summary>
    Header,

    /// <summary>The request body: two requests with the same canonical JSON body are the same request. A request without a body has no key.</summary>
    Body,

    /// <summary>The header when the client sent one, else the body.</summary>
    HeaderOrBody,
}
