namespace Idempotency.AspNetCore;

/// <summary>Converts the results of calls to records and back.</summary>
internal abstract class ResultFormat<T>
{
    /// <summary>Encodes a result as a record.</summary>
    /// <param name="result">The result.</param>
    /// <param name="compressFrom">The minimum size for compression, in bytes.</param>
    /// <param name="size">The size of the result before compression, in bytes.</param>
    public abstract byte[] Write(T result, int compressFrom, out int size);

    /// <summary>Decodes the result of a record: a new object every time, so that callers cannot change each other's results.</summary>
    /// <exception cref="IdempotencyResultUnavailableException">There is no result, or none of this type.</exception>
    public abstract T Read(StoredResult stored, string operation);
}
