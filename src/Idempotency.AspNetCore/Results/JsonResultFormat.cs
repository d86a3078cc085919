using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>Results that are recorded as JSON.</summary>
internal sealed class JsonResultFormat<T>(JsonTypeInfo<T> type) : ResultFormat<T>
{
    private readonly JsonTypeInfo<T> _type = Readable(type);

    public override byte[] Write(T result, int compressFrom, out int size)
    {
        if (result is null)
        {
            size = 0;
            return StoredResult.Encode(ResultKind.Null);
        }

        var json = JsonSerializer.SerializeToUtf8Bytes(result, _type);
        size = json.Length;
        // Verified with a round trip: a private setter, for example, would silently change the result.
        var again = JsonSerializer.SerializeToUtf8Bytes(JsonSerializer.Deserialize(json, _type)!, _type);
        if (!again.AsSpan().SequenceEqual(json))
        {
            throw new NotSupportedException($"'{typeof(T)}' does not survive a JSON round trip. Check for members without a public setter or constructor parameter.");
        }

        return StoredResult.Encode(json, compressFrom);
    }

    public override T Read(StoredResult stored, string operation)
    {
        switch (stored.Kind)
        {
            case ResultKind.Null when default(T) is null:
                return default!; // the work returned null, so the compiler has already checked whether T allows it
            case ResultKind.Json:
                try
                {
                    return JsonSerializer.Deserialize(stored.Json.Span, _type)!; // null only if a converter returns it
                }
                catch (Exception exception)
                {
                    throw new IdempotencyResultUnavailableException($"'{operation}' is complete, but its recorded result cannot be read as {typeof(T)}: the type has changed, or this call expects a different type. Do not repeat the work.", exception);
                }

            case ResultKind.NotKept:
                throw new IdempotencyResultUnavailableException($"'{operation}' is complete, but its result was not recorded: it was too large, or could not be serialized to JSON. Do not repeat the work.");
            default:
                throw new IdempotencyResultUnavailableException($"'{operation}' is complete, but was recorded {(stored.Kind == ResultKind.Null ? "with the result null" : "without a result")}, and this call expects {typeof(T)}. Do not repeat the work.");
        }
    }

    /// <summary>Checks before anything runs whether values of a type can be deserialized.</summary>
    private static JsonTypeInfo<T> Readable(JsonTypeInfo<T> type)
    {
        var result = typeof(T);
        if (typeof(MemberInfo).IsAssignableFrom(result) || typeof(Delegate).IsAssignableFrom(result) || result == typeof(nint) || result == typeof(nuint))
        {
            throw new NotSupportedException($"'{result}' cannot be serialized to JSON, so it cannot be recorded. Return a type that can be serialized. Nothing was run.");
        }

        if (type.Kind == JsonTypeInfoKind.Object && result.IsAbstract && type.PolymorphismOptions is null)
        {
            throw new NotSupportedException($"'{result}' is an interface or abstract class, so it cannot be deserialized from JSON. Return a concrete type, or declare its derived types with [JsonDerivedType]. Nothing was run.");
        }

        return !type.Options.IncludeFields && typeof(ITuple).IsAssignableFrom(result)
            ? throw new NotSupportedException($"'{result}' is a tuple, and the JsonSerializerOptions do not include fields, so it would be recorded empty. Set IncludeFields, or return a record. Nothing was run.")
            : type;
    }
}
