namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>A row of the shop.</summary>
public sealed class ShopPayment
{
    public Guid Id { get; set; } = Guid.NewGuid();

    public decimal Amount { get; set; }
}
