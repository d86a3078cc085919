namespace Payments;

/// <summary>A row of the ledger.</summary>
/// <param name="Id">Its name in <c>/payments/{id}</c>.</param>
/// <param name="Kind"><c>payment</c>, <c>order</c>, <c>refund</c>, <c>payout</c> or <c>subscription</c>.</param>
/// <param name="Name">Who pays, or gets the money back.</param>
/// <param name="Email">Where the receipt goes.</param>
/// <param name="Amount">How much.</param>
/// <param name="CreatedAt">When it was executed.</param>
public sealed record Payment(string Id, string Kind, string Name, string Email, decimal Amount, DateTimeOffset CreatedAt)
{
    /// <summary>Counts the runs of handlers: a duplicate effect would show as a higher number. Given by the database.</summary>
    public int Execution { get; init; }
}
