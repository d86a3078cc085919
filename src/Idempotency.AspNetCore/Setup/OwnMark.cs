namespace Idempotency.AspNetCore;

/// <summary>Endpoint metadata: the endpoint was marked itself, and not only through a group.</summary>
internal sealed class OwnMark
{
    public static OwnMark Here { get; } = new();

    public override string ToString() => nameof(OwnMark);
}
