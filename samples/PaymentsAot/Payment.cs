namespace PaymentsAot;

/// <summary>What was executed.</summary>
internal sealed record Payment(string Id, string Kind, string Name, decimal Amount, DateTimeOffset CreatedAt);
