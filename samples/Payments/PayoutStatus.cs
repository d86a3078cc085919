namespace Payments;

/// <summary>The status of a payout.</summary>
/// <param name="Deliveries">How many times the queue delivered its message and the consumer processed it.</param>
/// <param name="Payment">The payment, the same for every delivery. Null until it is executed.</param>
public sealed record PayoutStatus(int Deliveries, Payment? Payment);
