namespace GettingStarted;

/// <summary>What a client sends.</summary>
public sealed record PaymentRequest(decimal Amount);
