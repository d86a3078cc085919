namespace Payments;

/// <summary>What was executed since the process started.</summary>
/// <param name="Count">How many times a handler ran.</param>
/// <param name="Since">When the ledger was opened: another time than before means that the server was restarted, and has forgotten.</param>
/// <param name="Payments">The last of them, newest first.</param>
public sealed record LedgerPage(int Count, DateTimeOffset Since, IReadOnlyList<Payment> Payments);
