namespace Payments;

/// <summary>The payments since the ledger was opened.</summary>
/// <param name="Count">How many times a handler ran.</param>
/// <param name="Since">When the ledger was opened. A different time means a different database, without the records of the previous one.</param>
/// <param name="Payments">The latest payments, newest first.</param>
public sealed record LedgerPage(int Count, DateTimeOffset Since, IReadOnlyList<Payment> Payments);
