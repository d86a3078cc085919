namespace Idempotency.AspNetCore;

/// <summary>Which call this is, among those of its operation: a string of yours, or the content of a payload.</summary>
/// <remarks>
/// <para>A type of its own, so that the two cannot be confused: a payload that happens to be a string is not a key, and says so with
/// <see cref="IdempotentPayload.Of{T}(T, System.Text.Json.JsonSerializerOptions)"/>. A key and a payload are never equal, whatever is in them.</para>
/// <para>A string may be of any length and of any characters, but not blank: it is hashed, and neither stored nor logged. Take what stays the same
/// when the call is repeated (a message id, an order number), and nothing that is made anew.</para>
/// </remarks>
public readonly record struct IdempotentCallKey
{
    private IdempotentCallKey(string? text, IdempotentPayload? payload)
    {
        Text = text;
        Payload = payload;
    }

    /// <summary>The key, or the hash of the payload that is the key.</summary>
    internal string? Text { get; }

    /// <summary>The payload that is the key, or of which the policy selects it.</summary>
    internal IdempotentPayload? Payload { get; }

    /// <summary>Whether two are the same string, or payloads with equal JSON.</summary>
    public bool Equals(IdempotentCallKey other) => Text == other.Text && Payload is null == other.Payload is null;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Text, Payload is null);

    /// <summary>A string as the key.</summary>
    public static implicit operator IdempotentCallKey(string key) => new(key, null);

    /// <summary>A payload as the key: two calls with equal JSON are one. With a <see cref="IdempotencyPolicy.KeySelector"/>, those of which it selects the same.</summary>
    public static implicit operator IdempotentCallKey(IdempotentPayload payload) => new(payload?.Key, payload);
}
