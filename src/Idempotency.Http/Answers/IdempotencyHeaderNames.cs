namespace Idempotency.Http;

/// <summary>The names of the idempotency headers, as used by Idempotency.AspNetCore.</summary>
public static class IdempotencyHeaderNames
{
    /// <summary>The key of the request (draft-ietf-httpapi-idempotency-key-header), unless <see cref="IdempotencyKeyOptions.HeaderName"/> sets another name.</summary>
    public const string Key = "Idempotency-Key";

    /// <summary><c>Idempotent-Replayed: true</c> in a response: it is a replay, and nothing ran for this request. Stripe sends it too.</summary>
    public const string Replayed = "Idempotent-Replayed";

    /// <summary><c>Idempotency-Stored: false</c> in a response: it is not recorded, so the same request with the same key may run again.</summary>
    public const string Stored = "Idempotency-Stored";
}
