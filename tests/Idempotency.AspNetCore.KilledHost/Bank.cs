using Microsoft.EntityFrameworkCore;

namespace Idempotency.AspNetCore.KilledHost;

/// <summary>The application's database: two rows are one effect, written by two calls of SaveChanges.</summary>
public sealed class Bank(DbContextOptions<Bank> options) : DbContext(options)
{
    public DbSet<Payment> Payments => Set<Payment>();

    public DbSet<Entry> Entries => Set<Entry>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Payment>().Property(payment => payment.Id).ValueGeneratedNever();
        modelBuilder.Entity<Entry>().Property(entry => entry.Id).ValueGeneratedNever();
        modelBuilder.AddIdempotencyRecords();
    }
}

/// <summary>The first row of the effect.</summary>
/// <param name="Id">Made anew by every run: what an answer says is which run it is of.</param>
/// <param name="Key">The request's key. Not unique, on purpose: what keeps duplicates out is the library alone.</param>
public sealed record Payment(Guid Id, string Key);

/// <summary>The second row of the effect.</summary>
/// <param name="Id">The run's.</param>
/// <param name="Key">The request's key.</param>
public sealed record Entry(Guid Id, string Key);
