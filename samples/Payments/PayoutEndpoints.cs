using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Http.Features;

namespace Payments;

/// <summary>Payouts are accepted now and executed by a queue's consumer.</summary>
internal static class PayoutEndpoints
{
    public static void MapPayouts(this IEndpointRouteBuilder app)
    {
        // The message takes the request's key for its own: even a request that runs again after a crash, and enqueues again, is one payout.
        app.MapPost("/payouts", (PaymentRequest request, PayoutQueue queue, HttpContext context) =>
        {
            var message = new PayoutMessage(context.Features.GetRequiredFeature<IIdempotencyFeature>().Key, request);
            queue.Enqueue(message);
            return TypedResults.Accepted($"/payouts/{Uri.EscapeDataString(message.Id)}", message);
        }).WithIdempotency();

        app.MapGet("/payouts/{id}", (string id, PayoutQueue queue) => queue.Find(id) is { } status ? Results.Ok(status) : Results.NotFound());
    }
}
