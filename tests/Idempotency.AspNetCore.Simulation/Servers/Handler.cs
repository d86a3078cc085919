using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>The application: it has one effect for each run, and answers with the run's number.</summary>
/// <remarks>What a handler can end in is a <see cref="HandlerKind"/>; what it can do before that, steps, any of them can.</remarks>
internal sealed class Handler(World world, Server server)
{
    private static readonly string Much = new('x', 400);

    /// <summary>As an endpoint.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        var exchange = context.Features.Get<Exchange>()!;
        var feature = context.Features.Get<IIdempotencyFeature>();
        var run = world.Checker.Started(exchange, feature);
        var plan = run.Plan;
        var aborted = context.RequestAborted;
        try
        {
            await HaveEffectAsync(run, feature!);
            world.Checker.SawToken(run, aborted.IsCancellationRequested);
            if (plan.Kind is not (HandlerKind.Streams or HandlerKind.WritesMuch))
            {
                await PassAsync(plan.After, run, feature);
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
            run.Body = BodyOf(run);
            await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(run.Body));
            if (plan.Kind is HandlerKind.Streams or HandlerKind.WritesMuch)
            {
                await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(Much));
                await PassAsync(plan.After, run, feature);
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

    /// <summary>As a function.</summary>
    public async Task<string> CallAsync(Exchange exchange, IIdempotentRun call)
    {
        var run = world.Checker.Started(exchange, call);
        try
        {
            await HaveEffectAsync(run, call);
            await PassAsync(run.Plan.After, run, call);
            if (run.Plan.Kind is HandlerKind.Throws or HandlerKind.MarksAndThrows)
            {
                throw new ApplicationFailure();
            }

            run.Body = run.IsBodyLost ? BodyOf(run) + Much : BodyOf(run);
            world.Checker.Ended(run, 201);
            return run.Body;
        }
        catch (Exception exception)
        {
            world.Checker.Failed(run, exception);
            throw;
        }
    }

    private static string BodyOf(HandlerRun run) => $"{{\"run\":{run.Number},\"user\":{run.Exchange.Plan.User},\"payment\":{run.Exchange.Plan.Payment}}}";

    private async Task HaveEffectAsync(HandlerRun run, IIdempotentRun call)
    {
        var plan = run.Plan;
        if (plan.Steps is null)
        {
            await MarkAsync(run, call);
        }

        await PassAsync(plan.Before, run, call);
        if (plan.Steps is not null)
        {
            await TakeStepsAsync(run, call, plan.Steps);
        }

        world.Checker.HadEffect(run);
    }

    private async Task TakeStepsAsync(HandlerRun run, IIdempotentRun call, StepPlan[] steps)
    {
        var parallel = new List<Task>();
        foreach (var step in steps)
        {
            var taken = StepAsync(run, call, step);
            if (run.Plan.AreParallel)
            {
                parallel.Add(taken);
            }
            else
            {
                await taken;
            }

            if (step == steps[0])
            {
                await MarkAsync(run, call); // after a step, or while one runs
            }
        }

        foreach (var taken in parallel)
        {
            await taken; // the first that fails ends the handler, and the others may still be running
        }
    }

    private async Task StepAsync(HandlerRun run, IIdempotentRun call, StepPlan step)
    {
        try
        {
            world.Checker.StepTold(run, step, await call.StepAsync(step.Name, lost => WorkAsync(run, step, lost), step.Options));
        }
        catch (ApplicationFailure) when (step.IsOptional)
        {
            // The handler can do without it.
        }
    }

    // Its result is its own number, which no other work has.
    private async Task<int> WorkAsync(HandlerRun run, StepPlan step, CancellationToken lost)
    {
        var work = world.Checker.StepStarted(run, step);
        try
        {
            await PassAsync(step.Takes, run.Plan.HeedsLoss ? lost : CancellationToken.None);
            return step.Fails ? throw new ApplicationFailure() : work.Number;
        }
        finally
        {
            world.Checker.StepEnded(work);
        }
    }

    private static async Task MarkAsync(HandlerRun run, IIdempotentRun call)
    {
        if (run.Plan.Kind is HandlerKind.Marks or HandlerKind.MarksAndThrows)
        {
            await call.MarkEffectsStartedAsync();
            run.HasMarked = true;
        }
    }

    private Task PassAsync(TimeSpan time, HandlerRun run, IIdempotentRun? call) => PassAsync(time, run.Plan.HeedsLoss && call is not null ? call.ClaimLost : CancellationToken.None);

    private Task PassAsync(TimeSpan time, CancellationToken cancellationToken) => time > TimeSpan.Zero ? Task.Delay(time, server.Time, cancellationToken) : Task.CompletedTask;
}
