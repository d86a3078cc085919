namespace Idempotency.AspNetCore;

/// <summary>Work without a result: only the existence of the record matters.</summary>
internal sealed class NoResultFormat : ResultFormat<NoResult>
{
    public static NoResultFormat Instance { get; } = new();

    public override byte[] Write(NoResult result, int compressFrom, out int size)
    {
        size = 0;
        return StoredResult.Encode(ResultKind.None);
    }

    public override NoResult Read(StoredResult stored, string operation) => default;
}
