namespace Payments;

/// <summary>A message in the queue, which is a table: a message is enqueued exactly if the rest of the handler's work is committed.</summary>
public sealed class Payout
{
    /// <summary>The id, the same in every delivery. It is the key of its execution.</summary>
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Email { get; init; }

    public required decimal Amount { get; init; }

    /// <summary>How many times it was delivered and processed.</summary>
    public int Deliveries { get; set; }

    /// <summary>The id of the payment, the same for every delivery.</summary>
    public string? PaymentId { get; set; }

    public PaymentRequest Request => new(Name, Email, Amount);
}
