namespace Idempotency.Http;

/// <summary>How a key is written in the header.</summary>
public enum IdempotencyKeyFormat
{
    /// <summary>
    /// As it is: <c>Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324</c>. What most services expect, among them Stripe; those that want a UUID
    /// refuse quotation marks. Idempotency.AspNetCore takes both for the same key.
    /// </summary>
    Bare,

    /// <summary>
    /// As a structured-field string (RFC 9651 section 3.3.3), which is what draft-ietf-httpapi-idempotency-key-header asks for:
    /// <c>Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"</c>.
    /// </summary>
    Quoted,
}
