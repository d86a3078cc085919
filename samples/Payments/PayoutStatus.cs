namespace Payments;

/// <summary>What has become of a payout.</summary>
/// <param name="Deliveries">How many times the queue delivered its message and the consumer was done with it.</param>
/// <param name="Payment">What was executed; the same for every delivery. Null until the first is done.</param>
public sealed record PayoutStatus(int Deliveries, Payment? Payment);
