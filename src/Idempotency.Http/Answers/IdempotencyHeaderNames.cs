namespace Idempotency.Http;

/// <summary>The headers of idempotency, as Idempotency.AspNetCore sends and reads them.</summary>
public static class IdempotencyHeaderNames
{
    /// <summary>The request's key (draft-ietf-httpapi-idempotency-key-header), unless <see cref="IdempotencyKeyOptions.HeaderName"/> says otherwise.</summary>
    public const string Key = "Idempotency-Key";

    /// <summary><c>Idempotent-Replayed: true</c> in an answer: it was given before, and nothing was carried out for this request. Stripe sends it too.</summary>
    public const string Replayed = "Idempotent-Replayed";

    /// <summary><c>Idempotency-Stored: false</c> in an answer: it is not recorded, so that the same request with the same key may be carried out again.</summary>
    public const string Stored = "Idempotency-Stored";
}
