using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>The application: it has one effect for each run, and answers with the run's number.</summary>
/// <remarks>An operation of <see cref="IIdempotentRun"/> that a handler can call is one more <see cref="HandlerKind"/>.</remarks>
internal sealed class Handler(World world, Server server)
{
    private static readonly string Much = new('x', 400);

    public async Task InvokeAsync(HttpContext context)
    {
        var exchange = context.Features.Get<Exchange>()!;
        var feature = context.Features.Get<IIdempotencyFeature>();
        var run = world.Checker.Started(exchange, feature);
        var plan = run.Plan;
        var aborted = context.RequestAborted;
        try
        {
            if (plan.Kind is HandlerKind.Marks or HandlerKind.MarksAndThrows)
            {
                await feature!.MarkEffectsStartedAsync();
                run.HasMarked = true;
            }

            await PassAsync(plan.Before, plan, feature);
            world.Checker.HadEffect(run);
            world.Checker.SawToken(run, aborted.IsCancellationRequested);
            if (plan.Kind is not (HandlerKind.Streams or HandlerKind.WritesMuch))
            {
                await PassAsync(plan.After, plan, feature);
            }

            switch (plan.Kind)
            {
                case HandlerKind.Throws or HandlerKind.MarksAndThrows:
                    throw new ApplicationFailure();
                case HandlerKind.Aborts:
                    world.Checker.Ended(run, null);
                    context.Abort();
                    return;
                case HandlerKind.Streams:
                    context.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
                    break;
            }

            context.Response.StatusCode = plan.Kind switch { HandlerKind.Declines => 402, HandlerKind.PutsOff => 429, HandlerKind.Fails => 500, _ => 201 };
            context.Response.ContentType = "application/json";
            var body = $"{{\"run\":{run.Number},\"user\":{exchange.Plan.User},\"payment\":{exchange.Plan.Payment}}}";
            run.Body = body;
            await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(body));
            if (plan.Kind is HandlerKind.Streams or HandlerKind.WritesMuch)
            {
                await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(Much));
                await PassAsync(plan.After, plan, feature);
                await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(Much));
            }

            world.Checker.SawToken(run, aborted.IsCancellationRequested);
            world.Checker.Ended(run, context.Response.StatusCode);
        }
        catch (Exception exception)
        {
            world.Checker.Failed(run, exception);
            throw;
        }
    }

    private async Task PassAsync(TimeSpan time, HandlerPlan plan, IIdempotencyFeature? feature)
    {
        if (time > TimeSpan.Zero)
        {
            await Task.Delay(time, server.Time, plan.HeedsLoss && feature is not null ? feature.ClaimLost : CancellationToken.None);
        }
    }
}
