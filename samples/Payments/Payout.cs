namespace Payments;

/// <summary>A message in the queue, which is a table: what a handler enqueues is there exactly when the rest of what it did is.</summary>
public sealed class Payout
{
    /// <summary>Its name, the same in every delivery: the key under which it is executed.</summary>
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Email { get; init; }

    public required decimal Amount { get; init; }

    /// <summary>How many times it was delivered and the consumer was done with it.</summary>
    public int Deliveries { get; set; }

    /// <summary>What was executed; the same for every delivery.</summary>
    public string? PaymentId { get; set; }

    public PaymentRequest Request => new(Name, Email, Amount);
}
