namespace PaymentsAot;

/// <summary>The response to a subscription.</summary>
/// <param name="Payment">The charge.</param>
/// <param name="Attempt">Which attempt completed it.</param>
internal sealed record Subscription(Payment Payment, int Attempt);
