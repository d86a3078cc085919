using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/guarantees.md, run.</summary>
public sealed class GuaranteesPageTests
{
    [Fact]
    public async Task A_payment_and_its_record_commit_together()
    {
        var connectionString = $"Data Source={nameof(A_payment_and_its_record_commit_together)};Mode=Memory;Cache=Shared";
        await using var open = new SqliteConnection(connectionString);
        await open.OpenAsync(TestContext.Current.CancellationToken);
        var builder = Applications.NewBuilder();
        #region docs: same-transaction
        builder.Services.AddDbContext<Shop>(options => options.UseSqlite(connectionString)); // or UseNpgsql, UseSqlServer, UseMySQL
        builder.Services.AddIdempotency(options => options.DefaultPolicy = options.DefaultPolicy with { Transaction = IdempotencyTransaction.SameAsHandler })
            .AddEntityFrameworkCoreStore<Shop>(); // and modelBuilder.AddIdempotencyRecords() in OnModelCreating
        #endregion
        await using var app = builder.Build();
        await using (var scope = app.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<Shop>().Database.EnsureCreatedAsync(TestContext.Current.CancellationToken);
        }

        var fails = true;
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (InvalidTimeZoneException)
            {
                context.Response.StatusCode = 500;
            }
        });
        app.UseIdempotency();
        #region docs: same-transaction-endpoint
        app.MapPost("/payments", async (ShopPayment payment, Shop shop) =>
        {
            shop.Add(payment);
            await shop.SaveChangesAsync(); // in a transaction that commits when the response is recorded, before it is sent
            return TypedResults.Created($"/payments/{payment.Id}", payment);
        }).WithIdempotency();
        #endregion
        app.MapPost("/failing", async (ShopPayment payment, Shop shop) =>
        {
            shop.Add(payment);
            await shop.SaveChangesAsync();
            return fails ? throw new InvalidTimeZoneException() : TypedResults.Ok(payment);
        }).WithIdempotency();
        using var client = await app.StartedAsync();
        using var first = await client.PostAsync("/payments", "k", """{"amount":5}""");
        using var second = await client.PostAsync("/payments", "k", """{"amount":5}""");
        using var failed = await client.PostAsync("/failing", "f", """{"amount":5}""");
        fails = false;
        using var retried = await client.PostAsync("/failing", "f", """{"amount":5}""");
        Assert.Equal(201, (int)first.StatusCode);
        Assert.True(second.IsReplay());
        Assert.Equal((500, 200), ((int)failed.StatusCode, (int)retried.StatusCode));
        await using var last = app.Services.CreateAsyncScope();
        Assert.Equal(2, await last.ServiceProvider.GetRequiredService<Shop>().Payments.CountAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_downstream_key_and_a_mark_reach_the_other_services()
    {
        var bank = new Bank();
        var mainframe = new Mainframe();
        var builder = Applications.NewBuilder();
        builder.Services.AddIdempotency();
        builder.Services.AddSingleton(bank).AddSingleton(mainframe);
        await using var app = builder.Build();
        app.UseIdempotency();
        #region docs: inside-the-handler
        app.MapPost("/payments", async (Payment payment, IIdempotentRun run, Bank bank, Mainframe mainframe) =>
        {
            var charge = await bank.ChargeAsync(payment, idempotencyKey: run.DownstreamKey("charge"));
            await run.MarkEffectsStartedAsync();
            await mainframe.BookAsync(charge);
            return charge;
        }).WithIdempotency();
        #endregion
        using var client = await app.StartedAsync();
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => client.PostAsync("/payments", "k", """{"amount":5}"""));
        using var retry = await client.PostAsync("/payments", "k", """{"amount":5}""");
        Assert.Equal(409, (int)retry.StatusCode);
        Assert.Contains("idempotency-outcome-unknown", await retry.TextAsync(), StringComparison.Ordinal);
        Assert.True(Guid.TryParse(Assert.Single(bank.Keys), out _));
    }

    private sealed class Bank
    {
        public List<string> Keys { get; } = [];

        public Task<decimal> ChargeAsync(Payment payment, string idempotencyKey)
        {
            Keys.Add(idempotencyKey);
            return Task.FromResult(payment.Amount);
        }
    }

    private sealed class Mainframe
    {
        public int Booked { get; private set; }

        public Task BookAsync(decimal charge)
        {
            Booked += charge > 0 ? 1 : 0;
            return Task.FromException(new InvalidTimeZoneException()); // the connection broke: nobody knows
        }
    }
}
