using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;

namespace Payments;

/// <summary>Payouts are accepted now and executed by a queue consumer.</summary>
internal static class PayoutEndpoints
{
    public static void MapPayouts(this IEndpointRouteBuilder app)
    {
        // The message uses the key of the request: even a request that is accepted twice, after a crash, is one payout.
        app.MapPost("/payouts", async (PaymentRequest request, PaymentsDb db, HttpContext context, CancellationToken cancellation) =>
        {
            var message = new PayoutMessage(context.Features.GetRequiredFeature<IIdempotencyFeature>().Key, request);
            if (!await db.Payouts.AnyAsync(payout => payout.Id == message.Id, cancellation))
            {
                db.Payouts.Add(new Payout { Id = message.Id, Name = request.Name, Email = request.Email, Amount = request.Amount });
                await db.SaveChangesAsync(cancellation);
            }

            return TypedResults.Accepted($"/payouts/{Uri.EscapeDataString(message.Id)}", message);
        }).WithIdempotency().ProducesValidationProblem();

        app.MapGet("/payouts/{id}", async (string id, PaymentsDb db, Ledger ledger, CancellationToken cancellation) =>
            await db.Payouts.AsNoTracking().FirstOrDefaultAsync(payout => payout.Id == id, cancellation) is { } payout
                ? Results.Ok(new PayoutStatus(payout.Deliveries, payout.PaymentId is { } paid ? await ledger.FindAsync(paid, cancellation) : null))
                : Results.NotFound());
    }
}
