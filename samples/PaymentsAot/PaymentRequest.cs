namespace PaymentsAot;

/// <summary>What is to be paid, and by whom.</summary>
internal sealed record PaymentRequest(string Name, decimal Amount);
