namespace Payments;

/// <summary>The message in the queue.</summary>
/// <param name="Id">The id, the same in every delivery. It is the key of its execution.</param>
/// <param name="Request">The amount and the recipient.</param>
public sealed record PayoutMessage(string Id, PaymentRequest Request);
