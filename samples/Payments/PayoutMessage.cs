namespace Payments;

/// <summary>What is put into the queue.</summary>
/// <param name="Id">Its name, the same in every delivery: the key under which it is executed.</param>
/// <param name="Request">What is to be paid out, and to whom.</param>
public sealed record PayoutMessage(string Id, PaymentRequest Request);
