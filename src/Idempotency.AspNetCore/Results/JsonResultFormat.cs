using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>Results that are kept as JSON.</summary>
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
        // Read back before it is promised: a setter that is private, say, would make another result of it, and nobody would know.
        var again = JsonSerializer.SerializeToUtf8Bytes(JsonSerializer.Deserialize(json, _type)!, _type);
        if (!again.AsSpan().SequenceEqual(json))
        {
            throw new NotSupportedException($"A '{typeof(T)}' does not come back from JSON as it went there. Look for members without a public setter or constructor parameter.");
        }

        return StoredResult.Encode(json, compressFrom);
    }

    public override T Read(StoredResult stored, string operation)
    {
        switch (stored.Kind)
        {
            case ResultKind.Null when default(T) is null:
                return default!; // what the work returned; whether T allows it, the compiler has asked there
            case ResultKind.Json:
                try
                {
                    return JsonSerializer.Deserialize(stored.Json.Span, _type)!; // null only if a converter makes it so
                }
                catch (Exception exception)
                {
                    throw new IdempotencyResultUnavailableException($"'{operation}' is done, but its result, which is kept, cannot be read as {typeof(T)}: the type has changed since, or another one is asked for. Do not repeat the work.", exception);
                }

            case ResultKind.NotKept:
                throw new IdempotencyResultUnavailableException($"'{operation}' is done, but its result was not kept: it was too large, or could not be written as JSON. Do not repeat the work.");
            default:
                throw new IdempotencyResultUnavailableException($"'{operation}' is done, but was recorded {(stored.Kind == ResultKind.Null ? "with the result null" : "without a result")}, and {typeof(T)} is asked for. Do not repeat the work.");
        }
    }

    /// <summary>What is known of a type before anything runs: whether its values can come back.</summary>
    private static JsonTypeInfo<T> Readable(JsonTypeInfo<T> type)
    {
        var result = typeof(T);
        if (typeof(MemberInfo).IsAssignableFrom(result) || typeof(Delegate).IsAssignableFrom(result) || result == typeof(nint) || result == typeof(nuint))
        {
            throw new NotSupportedException($"A '{result}' cannot be written as JSON, so it cannot be given again. Return what is to be kept of it. Nothing was run.");
        }

        if (type.Kind == JsonTypeInfoKind.Object && result.IsAbstract && type.PolymorphismOptions is null)
        {
            throw new NotSupportedException($"'{result}' is an interface or abstract, so its values cannot be read from JSON again. Return a concrete type, or declare its derived types with [JsonDerivedType]. Nothing was run.");
        }

        return !type.Options.IncludeFields && typeof(ITuple).IsAssignableFrom(result)
            ? throw new NotSupportedException($"'{result}' is a tuple, and the JsonSerializerOptions leave fields out: it would be kept empty. Set IncludeFields, or return a record. Nothing was run.")
            : type;
    }
}
