namespace PaymentsAot;

/// <summary>What was executed since the process started.</summary>
/// <param name="Payments">One for each time that a handler, a function or a step ran.</param>
/// <param name="Welcomes">How many mails were sent.</param>
internal sealed record LedgerPage(IReadOnlyList<Payment> Payments, int Welcomes);
