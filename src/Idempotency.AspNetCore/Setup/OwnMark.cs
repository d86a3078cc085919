namespace Idempotency.AspNetCore;

/// <summary>Endpoint metadata: the endpoint itself opted in, and not only its group.</summary>
internal sealed class OwnMark
{
    public static OwnMark Here { get; } = new();

    public override string ToString() => nameof(OwnMark);
}
