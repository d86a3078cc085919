namespace Payments;

/// <summary>A row of the ledger.</summary>
/// <param name="Id">The id in <c>/payments/{id}</c>.</param>
/// <param name="Kind"><c>payment</c>, <c>order</c>, <c>refund</c>, <c>payout</c> or <c>subscription</c>.</param>
/// <param name="Name">The person who pays, or receives the money.</param>
/// <param name="Email">The address for the receipt.</param>
/// <param name="Amount">The amount.</param>
/// <param name="CreatedAt">The time of the payment.</param>
public sealed record Payment(string Id, string Kind, string Name, string Email, decimal Amount, DateTimeOffset CreatedAt)
{
    /// <summary>Counts the runs of handlers: a duplicate effect would show as a higher number. Assigned by the database.</summary>
    public int Execution { get; init; }
}
