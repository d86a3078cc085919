using System.ComponentModel.DataAnnotations;
using Idempotency.AspNetCore;
using Microsoft.EntityFrameworkCore;

namespace Payments;

/// <summary>Two effects, one step each: a retry resumes after the last recorded step.</summary>
internal static class SubscriptionEndpoints
{
    public static void MapSubscriptions(this IEndpointRouteBuilder app)
    {
        // "subscriptions" is a policy in appsettings.json: effects in other services need no transaction here, and on SQLite, steps cannot be recorded during a transaction.
        // ?failures=1 makes the first attempt fail between the two steps.
        app.MapPost("/subscriptions", async (PaymentRequest request, IIdempotentRun run, PaymentsDb db, Ledger ledger, [Range(0, 10)] int failures = 0) =>
        {
            var payment = await run.StepAsync("charge", cancel =>
            {
                db.StepRuns.Add(new StepRun(run.Key, "charge", run.Attempt));
                return ledger.ExecuteAsync("subscription", request, cancel);
            });

            if (run.Attempt <= failures)
            {
                return Results.Problem("The card is charged, and the mail server is unavailable. Retry with the same key.", statusCode: StatusCodes.Status503ServiceUnavailable);
            }

            await run.StepAsync("welcome", cancel =>
            {
                db.StepRuns.Add(new StepRun(run.Key, "welcome", run.Attempt)); // a real API sends the email here
                return db.SaveChangesAsync(cancel);
            });
            return Results.Created($"/payments/{payment.Id}", new Subscription(payment, run.Attempt));
        }).WithIdempotency("subscriptions").Produces<Subscription>(StatusCodes.Status201Created).ProducesValidationProblem();

        app.MapGet("/subscriptions/{key}", async (string key, PaymentsDb db, CancellationToken cancellation) => new SubscriptionStatus(
            await db.StepRuns.CountAsync(run => run.Key == key && run.Step == "charge", cancellation),
            await db.StepRuns.CountAsync(run => run.Key == key && run.Step == "welcome", cancellation)));
    }
}
