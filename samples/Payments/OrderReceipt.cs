namespace Payments;

/// <summary>The answer to an order.</summary>
/// <param name="Payment">What was executed.</param>
/// <param name="Key">The key the server worked out from the body; the demo page works out the same.</param>
public sealed record OrderReceipt(Payment Payment, string Key);
