using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>The default JSON serialization of results.</summary>
internal static class JsonResults
{
    public const string Reflects = "JSON serialization uses reflection. Use the overload that takes a JsonTypeInfo<T>.";

    /// <summary>Includes fields; otherwise, a tuple would be an empty object.</summary>
    public static JsonSerializerOptions Default { get; } = new() { IncludeFields = true };

    /// <summary>The metadata of a type. A type that cannot be serialized fails here, before anything runs.</summary>
    [RequiresUnreferencedCode(Reflects)]
    [RequiresDynamicCode(Reflects)]
    public static JsonTypeInfo<T> TypeInfo<T>(JsonSerializerOptions? options = null)
    {
        options ??= Default;
        options.MakeReadOnly(populateMissingResolver: true);
        return (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T));
    }
}
