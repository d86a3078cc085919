namespace Idempotency.AspNetCore;

/// <summary>How the results of a call become a record, and come back.</summary>
internal abstract class ResultFormat<T>
{
    /// <summary>The record of a result.</summary>
    /// <param name="result">The result.</param>
    /// <param name="compressFrom">The fewest bytes that are compressed.</param>
    /// <param name="size">The result's size before compression, in bytes.</param>
    public abstract byte[] Write(T result, int compressFrom, out int size);

    /// <summary>The result of a record: a new object every time, so that no caller can change another's.</summary>
    /// <exception cref="IdempotencyResultUnavailableException">There is none, or none of this type.</exception>
    public abstract T Read(StoredResult stored, string operation);
}
