using Microsoft.EntityFrameworkCore;

namespace Idempotency.AspNetCore.Docs.Tests;

#region docs: ef-context
public sealed class Shop(DbContextOptions<Shop> options) : DbContext(options)
{
    public DbSet<ShopPayment> Payments => Set<ShopPayment>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddIdempotencyRecords();
}
#endregion
