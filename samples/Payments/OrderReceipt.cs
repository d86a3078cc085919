namespace Payments;

/// <summary>The response to an order.</summary>
/// <param name="Payment">The payment.</param>
/// <param name="Key">The key that the server computed from the body; the demo page computes the same.</param>
public sealed record OrderReceipt(Payment Payment, string Key);
