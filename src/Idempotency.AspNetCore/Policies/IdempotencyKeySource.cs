namespace Idempotency.AspNetCore;

/// <summary>Where the idempotency key of a request comes from.</summary>
public enum IdempotencyKeySource
{
    /// <summary>The request header named by <see cref="IdempotencyPolicy.HeaderName"/>. The default.</summary>
    Header,

    /// <summary>The request body: requests with the same canonical JSON body have the same key. A request without a body has no key.</summary>
    Body,

    /// <summary>The header if the client sent one, otherwise the body.</summary>
    HeaderOrBody,
}
