namespace Idempotency.AspNetCore.KilledHost;

/// <summary>Three effects in other services: one that knows idempotency keys, and two that do not.</summary>
internal sealed class OrderEndpoint(ServicesClient services)
{
    /// <summary>Each effect is a step.</summary>
    public Task<IResult> PlaceAsync(HttpContext context, IIdempotentRun run, StepOptions? options) =>
        PlaceAsync(context, run, (step, work) => run.StepAsync(step, work, options), run.DownstreamKey);

    /// <summary>The same work as a handler that does not know of attempts: it has no steps, and makes up a key for the bank.</summary>
    public Task<IResult> PlaceWithoutStepsAsync(HttpContext context, IIdempotentRun run) =>
        PlaceAsync(context, run, static (_, work) => work(CancellationToken.None), static _ => Guid.NewGuid().ToString());

    private async Task<IResult> PlaceAsync(HttpContext context, IIdempotentRun run, Func<string, Func<CancellationToken, Task<string>>, Task<string>> stepAsync, Func<string, string> downstreamKey)
    {
        var call = new ServicesClient.Run(Guid.NewGuid(), run.Key, run.Attempt);
        try
        {
            await services.EnteredAsync(call);
            CrashPoint.Reach(CrashPoint.Entered);
            var charge = await DoAsync("charge", downstreamKey("charge"));
            var receipt = await DoAsync("receipt", null);
            var shipment = await DoAsync("ship", null);
            CrashPoint.Reach(CrashPoint.Completing);
            return Results.Text($"{charge} {receipt} {shipment}");
        }
        catch (Exception exception) when (exception is IdempotencyClaimLostException || run.ClaimLost.IsCancellationRequested)
        {
            await services.LostAsync(call);
            throw;
        }

        async Task<string> DoAsync(string step, string? key)
        {
            if (context.Request.Headers["Test-Fail"] == step)
            {
                throw new InvalidOperationException($"The request asked for a failure before the step '{step}'.");
            }

            var result = await stepAsync(step, async cancel =>
            {
                CrashPoint.Reach(CrashPoint.Before(step));
                CrashPoint.Reach(CrashPoint.Within(step));
                var id = await services.CallAsync(call, step, key, cancel);
                CrashPoint.Reach(CrashPoint.After(step));
                CrashPoint.Reach(CrashPoint.Recording(step));
                return id;
            });
            CrashPoint.Reach(CrashPoint.Recorded(step));
            await services.ConfirmedAsync(call, step);
            return result;
        }
    }
}
