using System.Diagnostics;
using System.Globalization;
using Idempotency.AspNetCore;
using Idempotency.AspNetCore.TestHost;
using Microsoft.AspNetCore.Http.Features;

// One of several servers that share a store. Settings come from the environment; what one request is to do comes in its headers, which are no
// part of the fingerprint: a retry may be told otherwise.
var builder = WebApplication.CreateSlimBuilder(args);
var settings = builder.Configuration;
var server = settings["Server"] ?? throw new InvalidOperationException("The setting 'Server' is missing: this server's name.");
var idempotency = builder.Services.AddIdempotency();
_ = settings["Store"] switch
{
    "Redis" => idempotency.AddRedisStore(settings.GetSection("Redis").Bind),
    "DynamoDB" => idempotency.AddDynamoDBStore(settings.GetSection("DynamoDB").Bind),
    var other => throw new InvalidOperationException($"The setting 'Store' is '{other}'. Set it to Redis or DynamoDB."),
};
builder.Services.AddProblemDetails();

using var effects = new EffectsFile(settings["EffectsFolder"] ?? throw new InvalidOperationException("The setting 'EffectsFolder' is missing."), server);
var app = builder.Build();
app.UseIdempotency();

// A replay is the first answer byte for byte: then answers can be compared. "patient" and "patient-wait" are for tests that no lease must end under; the lease of
// "careful" is longer than the library waits for a store; those of "renewed" and "renewed-wait" are long enough that a busy machine still renews them in time.
var policy = new IdempotencyPolicy
{
    Partition = _ => "tests",
    Retention = TimeSpan.Parse(settings["Retention"] ?? "01:00:00", CultureInfo.InvariantCulture),
    ClaimDuration = TimeSpan.Parse(settings["Lease"] ?? "00:00:01.5", CultureInfo.InvariantCulture),
    ReplayFlagName = null,
};
Delegate run = RunAsync;
app.MapPost("/takeover", run).WithIdempotency(policy);
app.MapPost("/refuse", run).WithIdempotency(policy with { WhenAbandoned = AbandonedBehavior.Refuse });
app.MapPost("/careful", run).WithIdempotency(policy with { WhenAbandoned = AbandonedBehavior.Refuse, ClaimDuration = TimeSpan.FromSeconds(15) });
app.MapPost("/wait", run).WithIdempotency(policy with { WhenInProgress = InProgressBehavior.Wait });
app.MapPost("/renewed", run).WithIdempotency(policy with { ClaimDuration = TimeSpan.FromSeconds(4) });
app.MapPost("/renewed-wait", run).WithIdempotency(policy with { WhenInProgress = InProgressBehavior.Wait, ClaimDuration = TimeSpan.FromSeconds(4) });
app.MapPost("/patient-wait", run).WithIdempotency(policy with { WhenInProgress = InProgressBehavior.Wait, ClaimDuration = TimeSpan.FromSeconds(60) });
app.MapPost("/patient", run).WithIdempotency(policy with { ClaimDuration = TimeSpan.FromSeconds(60) });
app.MapPost("/patient-step", RunStepAsync).WithIdempotency(policy with { ClaimDuration = TimeSpan.FromSeconds(60) });
app.MapPost("/careful-step", RunBeforeStepAsync).WithIdempotency(policy with { WhenAbandoned = AbandonedBehavior.Refuse, ClaimDuration = TimeSpan.FromSeconds(60) }); // longer than a step and a release that find no store, with the retries of a client library
app.Run();

async Task<IResult> RunAsync(HttpContext context) => Respond(context, await ActAsync(context));

// The same, with the effect in a step.
async Task<IResult> RunStepAsync(HttpContext context, IIdempotentRun run) => Respond(context, await run.StepAsync("effect", _ => ActAsync(context)));

// With a harmless effect before a step that must not run twice.
async Task<IResult> RunBeforeStepAsync(HttpContext context, IIdempotentRun run)
{
    var effect = await ActAsync(context);
    await run.StepAsync("refusing", static _ => Task.CompletedTask, new StepOptions { WhenInterrupted = InterruptedStepBehavior.Refuse });
    return Respond(context, effect);
}

static IResult Respond(HttpContext context, Effect effect) => Fails(context) ? Results.StatusCode(StatusCodes.Status500InternalServerError) : Results.Ok(effect);

static bool Fails(HttpContext context) => context.Request.Headers.ContainsKey("Test-Fail");

async Task<Effect> ActAsync(HttpContext context)
{
    var run = context.Features.GetRequiredFeature<IIdempotencyFeature>();
    var asked = context.Request.Headers;
    var effect = new Effect(Guid.NewGuid(), run.Key, run.Attempt, server, Fails(context), Stopwatch.GetTimestamp());
    effects.Append(effect);

    if (asked["Test-Gate"] is [{ } gate])
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!File.Exists(gate))
        {
            await tick.WaitForNextTickAsync();
        }
    }

    if (asked["Test-Delay"] is [{ } milliseconds])
    {
        await Task.Delay(int.Parse(milliseconds, CultureInfo.InvariantCulture));
    }

    return effect;
}
