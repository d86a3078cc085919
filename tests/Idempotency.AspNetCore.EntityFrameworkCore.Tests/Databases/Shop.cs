namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>An application's context.</summary>
public class Shop(DbContextOptions options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Order>(order =>
        {
            order.Property(one => one.Id).ValueGeneratedNever();
            order.HasIndex(one => one.Name).IsUnique();
        });
        modelBuilder.AddIdempotencyRecords();
    }
}

/// <summary>What a handler writes.</summary>
public sealed class Order
{
    public Guid Id { get; init; } = Guid.NewGuid();

    public string Name { get; init; } = $"{Guid.NewGuid()}";

    public int Quantity { get; set; }
}
