namespace Payments;

/// <summary>A subscription that was paid and whose welcome email was sent.</summary>
/// <param name="Payment">The payment.</param>
/// <param name="Attempt">The attempt that completed the request.</param>
public sealed record Subscription(Payment Payment, int Attempt);
