using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>
/// The content of a call, as JSON that is compared by value: the key of a call without a key string, or the content that a repeated call must have
/// (<see cref="IdempotentCallOptions.Payload"/>).
/// </summary>
/// <remarks>
/// Payloads are equal if their JSON is: member order, white space, escapes and the notation of numbers do not matter, and
/// numbers are exact decimals. Leave out values that differ between retries (a time, a trace id, a delivery count):
/// <c>IdempotentPayload.Of(new { order.Id, order.Lines })</c>. Only a SHA-256 of the payload is stored.
/// </remarks>
public sealed class IdempotentPayload
{
    private IdempotentPayload(byte[] json)
    {
        Json = json;
        Key = RequestIdentity.KeyOf(json, isJson: true);
    }

    /// <summary>The JSON that selectors are applied to.</summary>
    internal ReadOnlyMemory<byte> Json { get; }

    /// <summary>The SHA-256 of its canonical form in hexadecimal; if it has none, <c>raw-</c> and the SHA-256 of its bytes.</summary>
    internal string Key { get; }

    /// <summary>Creates a payload from a value, serialized as its declared type. For trimming and native AOT, use the overload with a <see cref="JsonTypeInfo{T}"/>.</summary>
    /// <param name="value">The value. Must not be null: all calls without a value would share one key.</param>
    /// <param name="options">The JSON options. Default: System.Text.Json's defaults, including fields (otherwise tuples would be empty).</param>
    /// <exception cref="ArgumentException">The value is serialized as <c>{}</c>, so all calls would share one key.</exception>
    /// <exception cref="JsonException">The value cannot be serialized: it has a cycle, or is nested too deeply.</exception>
    /// <exception cref="NotSupportedException">System.Text.Json cannot serialize the type.</exception>
    [RequiresUnreferencedCode(JsonResults.Reflects)]
    [RequiresDynamicCode(JsonResults.Reflects)]
    public static IdempotentPayload Of<T>(T value, JsonSerializerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new IdempotentPayload(Saying(JsonSerializer.SerializeToUtf8Bytes(value, options ?? JsonResults.Default), typeof(T)));
    }

    /// <summary>Creates a payload from a value, serialized by source-generated code.</summary>
    /// <param name="value">The value. Must not be null.</param>
    /// <param name="type">The JSON metadata of the value, for example <c>AppJsonContext.Default.Order</c>.</param>
    /// <exception cref="ArgumentException">The value is serialized as <c>{}</c>, so all calls would share one key.</exception>
    /// <exception cref="JsonException">The value cannot be serialized: it has a cycle, or is nested too deeply.</exception>
    [OverloadResolutionPriority(-1)] // so that "new() { … }" in its place means options
    public static IdempotentPayload Of<T>(T value, JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(value);
        ArgumentNullException.ThrowIfNull(type);
        return new IdempotentPayload(Saying(JsonSerializer.SerializeToUtf8Bytes(value, type), typeof(T)));
    }

    private static byte[] Saying(byte[] json, Type type) => json.AsSpan().SequenceEqual("{}"u8) || json.AsSpan().SequenceEqual("null"u8)
        ? throw new ArgumentException($"'{type}' is serialized as {(json.Length == 2 ? "{}" : "null")}, so all calls would share one key. Give it public properties, declare the type that has them, or set JsonSerializerOptions.IncludeFields.")
        : json;

    /// <summary>Creates a payload from a message, as received, in UTF-8.</summary>
    /// <param name="json">The JSON. Content that is not JSON, or is ambiguous (duplicate names, more than 64 levels), is compared byte for byte. Must not be empty.</param>
    /// <exception cref="ArgumentException">The message is empty.</exception>
    public static IdempotentPayload OfJson(ReadOnlySpan<byte> json) => json.IsEmpty
        ? throw new ArgumentException("The payload is empty, so all calls without a payload would share one key.", nameof(json))
        : new IdempotentPayload(json.ToArray());
}
