using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>
/// What a call is about, as JSON compared by value: the key of a call that has no other, or what a repeated call is checked against
/// (<see cref="IdempotentCallOptions.Payload"/>).
/// </summary>
/// <remarks>
/// Two payloads are equal when their JSON is: member order, white space, escapes and the notation of numbers do not matter, and
/// numbers are exact decimals. Leave out what differs between repetitions (a time, a trace id, a delivery count):
/// <c>IdempotentPayload.Of(new { order.Id, order.Lines })</c>. Only a SHA-256 of it is kept.
/// </remarks>
public sealed class IdempotentPayload
{
    private IdempotentPayload(byte[] json)
    {
        Json = json;
        Key = RequestIdentity.KeyOf(json, isJson: true);
    }

    /// <summary>What selectors are applied to.</summary>
    internal ReadOnlyMemory<byte> Json { get; }

    /// <summary>The SHA-256 of its canonical form in hexadecimal; of its bytes, after <c>raw-</c>, when it has none.</summary>
    internal string Key { get; }

    /// <summary>The payload that a value is when it is written as JSON, as its declared type. For trimming and native AOT use the overload with a <see cref="JsonTypeInfo{T}"/>.</summary>
    /// <param name="value">The value; not null, which would be one key for all calls that lack one.</param>
    /// <param name="options">How it is written. Default: System.Text.Json's own, with fields (or tuples would say nothing).</param>
    /// <exception cref="ArgumentException">It is written as <c>{}</c>: it says nothing, and would be one key for all calls.</exception>
    /// <exception cref="JsonException">It cannot be written: it has a cycle, or is too deep.</exception>
    /// <exception cref="NotSupportedException">System.Text.Json does not write such a type.</exception>
    [RequiresUnreferencedCode(JsonResults.Reflects)]
    [RequiresDynamicCode(JsonResults.Reflects)]
    public static IdempotentPayload Of<T>(T value, JsonSerializerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new IdempotentPayload(Saying(JsonSerializer.SerializeToUtf8Bytes(value, options ?? JsonResults.Default), typeof(T)));
    }

    /// <summary>The same, written by source-generated code.</summary>
    /// <param name="value">The value; not null.</param>
    /// <param name="type">Its metadata, for example <c>AppJsonContext.Default.Order</c>.</param>
    /// <exception cref="ArgumentException">It is written as <c>{}</c>: it says nothing, and would be one key for all calls.</exception>
    /// <exception cref="JsonException">It cannot be written: it has a cycle, or is too deep.</exception>
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

    /// <summary>The payload that a message is as it came, in UTF-8.</summary>
    /// <param name="json">JSON; what is not, or is ambiguous (duplicate names, more than 64 levels), is compared byte for byte. Not empty.</param>
    /// <exception cref="ArgumentException">It is empty.</exception>
    public static IdempotentPayload OfJson(ReadOnlySpan<byte> json) => json.IsEmpty
        ? throw new ArgumentException("The payload is empty, so all calls without a payload would share one key.", nameof(json))
        : new IdempotentPayload(json.ToArray());
}
