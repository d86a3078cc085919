namespace Idempotency.Http;

/// <summary>The format of a key in the header.</summary>
public enum IdempotencyKeyFormat
{
    /// <summary>
    /// Bare: <c>Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324</c>. Most services expect it, including Stripe; services that require a UUID
    /// reject quotation marks. Idempotency.AspNetCore treats both formats as the same key.
    /// </summary>
    Bare,

    /// <summary>
    /// As a structured-field string (RFC 9651 section 3.3.3), as draft-ietf-httpapi-idempotency-key-header requires:
    /// <c>Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"</c>.
    /// </summary>
    Quoted,
}
