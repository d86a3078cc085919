using Idempotency.AspNetCore;
using PaymentsAot;

var builder = WebApplication.CreateSlimBuilder(args);
builder.Services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, PaymentsJson.Default));
builder.Services.AddProblemDetails();
builder.Services.AddSingleton<Ledger>();

// Records are in memory, until a connection string names a Redis: ConnectionStrings__Redis=localhost:6379.
var idempotency = builder.Services.AddIdempotency();
if (builder.Configuration.GetConnectionString("Redis") is { Length: > 0 } redis)
{
    idempotency.AddRedisStore(redis);
}

// The demo has no users, so all its callers share one set of keys. A real API has them, leaves this line out, and each user's keys are their own.
builder.Services.Configure<IdempotencyOptions>(options => options.DefaultPolicy = options.DefaultPolicy with { Partition = _ => "demo" });

var app = builder.Build();
app.UseExceptionHandler();
app.UseIdempotency();

// ?delay= makes a slow bank of it.
app.MapPost("/payments", async (PaymentRequest request, Ledger ledger, CancellationToken cancellation, int delay = 0) =>
{
    await Task.Delay(delay, cancellation);
    var payment = ledger.Execute("payment", request);
    return TypedResults.Created($"/payments/{payment.Id}", payment);
}).WithIdempotency();

// A function, once for each message: what a queue's consumer would do. Its result is written and read with source-generated JSON. The lambda names its return type,
// because the generator that compiles this endpoint does not see what the JSON generator makes, and cannot infer it from PaymentsJson.Default.Payment.
app.MapPost("/messages/{id}", Task<Payment> (string id, PaymentRequest request, IIdempotentExecutor executor, Ledger ledger, CancellationToken cancellation) => executor.ExecuteAsync(
    "payouts",
    id,
    (_, _) => Task.FromResult(ledger.Execute("payout", request)),
    PaymentsJson.Default.Payment,
    cancellationToken: cancellation));

// Two steps. ?failures=1 makes the first attempt fail between them: the retry gets the charge that was recorded, and goes on.
app.MapPost("/subscriptions", async (PaymentRequest request, IIdempotentRun run, Ledger ledger, int failures = 0) =>
{
    var payment = await run.StepAsync("charge", _ => Task.FromResult(ledger.Execute("subscription", request)), PaymentsJson.Default.Payment);
    if (run.Attempt <= failures)
    {
        return Results.Problem("The card is charged, and the mail server is unavailable. Retry with the same key.", statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    await run.StepAsync("welcome", _ => ledger.WelcomeAsync(payment));
    return Results.Created($"/payments/{payment.Id}", new Subscription(payment, run.Attempt));
}).WithIdempotency();

// What was really executed, whatever was sent.
app.MapGet("/payments", (Ledger ledger) => ledger.Read());

app.Run();
