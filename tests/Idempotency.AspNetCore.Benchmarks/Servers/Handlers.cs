using System.Collections.Concurrent;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What the endpoints do, with the library and without.</summary>
internal static class Handlers
{
    /// <summary>A trivial JSON handler.</summary>
    public static Receipt Pay(Payment payment) => new(1, payment.Name, true);

    /// <summary>One that takes a while, as a call of a payment provider does, so that duplicates meet it while it runs; counts its runs for each key.</summary>
    public static Func<HttpContext, Payment, Task<Receipt>> SlowPay(ConcurrentDictionary<string, int> runs) => async (context, payment) =>
    {
        runs.AddOrUpdate(context.Request.Headers["Idempotency-Key"].ToString(), 1, (_, count) => count + 1);
        await Task.Delay(TimeSpan.FromMilliseconds(5));
        return Pay(payment);
    };
}
