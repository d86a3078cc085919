namespace Payments;

/// <summary>A subscription that was paid, and whose subscriber was welcomed.</summary>
/// <param name="Payment">What was charged.</param>
/// <param name="Attempt">The attempt that completed the request.</param>
public sealed record Subscription(Payment Payment, int Attempt);
