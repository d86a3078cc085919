namespace Idempotency.AspNetCore;

/// <summary>Identifies a call among those of its operation: a string, or the content of a payload.</summary>
/// <remarks>
/// <para>A separate type, so that the two cannot be confused: to use a string as a payload, call
/// <see cref="IdempotentPayload.Of{T}(T, System.Text.Json.JsonSerializerOptions)"/>. A string key and a payload key are never equal.</para>
/// <para>A string can have any length and any characters, but must not be blank. It is hashed, and neither stored nor logged. Use a value that stays the same
/// when the call is repeated, such as a message id or an order number.</para>
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

    /// <summary>The payload that is the key, or from which the policy selects the key.</summary>
    internal IdempotentPayload? Payload { get; }

    /// <summary>Whether both keys are equal strings, or payloads with equal JSON.</summary>
    public bool Equals(IdempotentCallKey other) => Text == other.Text && Payload is null == other.Payload is null;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Text, Payload is null);

    /// <summary>Uses a string as the key.</summary>
    public static implicit operator IdempotentCallKey(string key) => new(key, null);

    /// <summary>Uses a payload as the key: calls with equal JSON have the same key. With a <see cref="IdempotencyPolicy.KeySelector"/>, calls with equal selected values have the same key.</summary>
    public static implicit operator IdempotentCallKey(IdempotentPayload payload) => new(payload?.Key, payload);
}
