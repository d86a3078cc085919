namespace Payments;

/// <summary>How often the steps of a subscription ran.</summary>
/// <param name="Charges">Runs of the step <c>charge</c>.</param>
/// <param name="Welcomes">Runs of the step <c>welcome</c>.</param>
public sealed record SubscriptionStatus(int Charges, int Welcomes);
