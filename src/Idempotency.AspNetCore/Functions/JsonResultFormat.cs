using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Idempotency.AspNetCore;

/// <summary>Results that are kept as JSON.</summary>
internal sealed class JsonResultFormat<T>(JsonTypeInfo<T> type) : ResultFormat<T>
{
    public override byte[] Write(T result, int compressFrom, out int size)
    {
        if (result is null)
        {
            size = 0;
            return StoredResult.Encode(ResultKind.Null);
        }

        var json = JsonSerializer.SerializeToUtf8Bytes(result, type);
        size = json.Length;
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
                    return JsonSerializer.Deserialize(stored.Json.Span, type)!; // null only if a converter makes it so
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
}
