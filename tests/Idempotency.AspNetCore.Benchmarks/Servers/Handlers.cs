using System.Collections.Concurrent;
using System.Text.Json;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What the endpoints do, with the library and without.</summary>
internal static class Handlers
{
    /// <summary>A trivial JSON handler.</summary>
    public static Receipt Pay(Payment payment) => new(1, payment.Name, true);

    /// <summary>An answer of the trivial handler without the handler: nothing is read, bound, run or serialized. No replay can be quicker.</summary>
    /// <param name="size">How many bytes it has; 0 for the answer to the request that is sent by default.</param>
    public static RequestDelegate SayTheSame(int size)
    {
        var answer = JsonSerializer.SerializeToUtf8Bytes(new Receipt(1, size == 0 ? "Ann" : Payment.NameFor(size), true), JsonSerializerOptions.Web);
        return context =>
        {
            context.Response.ContentType = "application/json; charset=utf-8";
            context.Response.ContentLength = answer.Length;
            Task sent = context.Response.BodyWriter.WriteAsync(answer).AsTask();
            return sent;
        };
    }

    /// <summary>One that takes a while, as a call of a payment provider does, so that duplicates meet it while it runs; counts its runs for each key.</summary>
    public static Func<HttpContext, Payment, Task<Receipt>> SlowPay(ConcurrentDictionary<string, int> runs) => async (context, payment) =>
    {
        runs.AddOrUpdate(context.Request.Headers["Idempotency-Key"].ToString(), 1, (_, count) => count + 1);
        await Task.Delay(TimeSpan.FromMilliseconds(5));
        return Pay(payment);
    };
}
