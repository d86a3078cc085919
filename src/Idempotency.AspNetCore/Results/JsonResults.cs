using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>How results are written as JSON where the caller does not say.</summary>
internal static class JsonResults
{
    public const string Reflects = "JSON serialization uses reflection. Use the overload that takes a JsonTypeInfo<T>.";

    /// <summary>Fields too, or a tuple would be an empty object.</summary>
    public static JsonSerializerOptions Default { get; } = new() { IncludeFields = true };

    /// <summary>The description of a type. A type that cannot be written fails here, before anything runs.</summary>
    [RequiresUnreferencedCode(Reflects)]
    [RequiresDynamicCode(Reflects)]
    public static JsonTypeInfo<T> TypeInfo<T>(JsonSerializerOptions? options = null)
    {
        options ??= Default;
        options.MakeReadOnly(populateMissingResolver: true);
        return (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T));
    }
}
