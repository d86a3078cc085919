using System.Data.Common;
using Microsoft.EntityFrameworkCore;

namespace Payments;

/// <summary>The application's database. It contains the payments and the idempotency records, so that one transaction covers both.</summary>
public sealed class PaymentsDb(DbContextOptions<PaymentsDb> options) : DbContext(options)
{
    public DbSet<Payment> Payments => Set<Payment>();

    public DbSet<Payout> Payouts => Set<Payout>();

    public DbSet<StepRun> StepRuns => Set<StepRun>();

    public DbSet<LedgerOpening> Openings => Set<LedgerOpening>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        modelBuilder.Entity<Payment>(payment =>
        {
            payment.HasKey(one => one.Execution);
            payment.Property(one => one.Execution).ValueGeneratedOnAdd();
            payment.HasIndex(one => one.Id).IsUnique();
        });
        modelBuilder.Entity<StepRun>().HasIndex(run => run.Key);
        modelBuilder.AddIdempotencyRecords();
    }

    /// <summary>Creates the tables if they do not exist. A production application uses migrations.</summary>
    public async Task CreateAsync(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        try
        {
            await Database.EnsureCreatedAsync();
        }
        catch (DbException)
        {
            await Database.EnsureCreatedAsync(); // another server was creating them; a different error is thrown again
        }

        if (!await Openings.AnyAsync())
        {
            Openings.Add(new LedgerOpening { Since = time.GetUtcNow() });
            await SaveChangesAsync();
        }
    }
}
