namespace Payments;

/// <summary>The time when the ledger was opened, which identifies the database.</summary>
public sealed class LedgerOpening
{
    public int Id { get; init; }

    public required DateTimeOffset Since { get; init; }
}
