namespace Payments;

/// <summary>What was executed since the ledger was opened.</summary>
/// <param name="Count">How many times a handler ran.</param>
/// <param name="Since">When the ledger was opened: another time than before means another database, which knows nothing of the one before.</param>
/// <param name="Payments">The last of them, newest first.</param>
public sealed record LedgerPage(int Count, DateTimeOffset Since, IReadOnlyList<Payment> Payments);
