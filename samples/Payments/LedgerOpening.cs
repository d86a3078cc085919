namespace Payments;

/// <summary>When the ledger was opened: it tells one database from another.</summary>
public sealed class LedgerOpening
{
    public int Id { get; init; }

    public required DateTimeOffset Since { get; init; }
}
