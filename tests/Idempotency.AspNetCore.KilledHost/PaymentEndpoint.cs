using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.KilledHost;

/// <summary>One effect in the application's own database.</summary>
internal static class PaymentEndpoint
{
    public static async Task<IResult> PayAsync(HttpContext context, Bank bank)
    {
        var key = context.Features.GetRequiredFeature<IIdempotencyFeature>().Key;
        var run = Guid.NewGuid();
        CrashPoint.Reach(CrashPoint.Entered);
        bank.Add(new Payment(run, key));
        await bank.SaveChangesAsync();
        CrashPoint.Reach(CrashPoint.BetweenSaves);
        bank.Add(new Entry(run, key));
        await bank.SaveChangesAsync();
        CrashPoint.Reach(CrashPoint.Saved);
        return Results.Text(run.ToString());
    }
}
