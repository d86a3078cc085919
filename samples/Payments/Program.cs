using System.ComponentModel.DataAnnotations;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Payments;

var builder = WebApplication.CreateBuilder(args);
builder.Configuration.ApplyCacheTime();
builder.Configuration.ApplyTransaction();
builder.AddTelemetryExport(); // with OTEL_EXPORTER_OTLP_ENDPOINT: metrics, traces and logs

// The demo has no users, so all its visitors share one set of keys. A real API has them, leaves this line out, and each user's keys are their own.
builder.Services.Configure<IdempotencyOptions>(options => options.DefaultPolicy = options.DefaultPolicy with { Partition = _ => "demo" });
builder.Services.AddIdempotency(builder.Configuration.GetSection("Idempotency")).AddJmesPath().AddConfiguredStore(builder.Configuration);
builder.Services.AddConfiguredDatabase(builder.Configuration);
builder.Services.AddScoped<Ledger>();
builder.Services.AddHostedService<PayoutQueue>();
builder.Services.AddProblemDetails();
builder.Services.AddValidation();
builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = false); // a bad body is a 400 in development too
builder.Services.AddControllers();
builder.Services.AddOpenApi(options => options.AddIdempotency());

var app = builder.Build();
app.UseExceptionHandler();
app.UseStatusCodePages();
app.UseDefaultFiles();
app.UseStaticFiles();
app.UseAuthentication(); // before UseIdempotency(): who the caller is decides whose answers they get
app.UseAuthorization();
app.UseIdempotency();

// The key is the Idempotency-Key header. ?delay= makes a slow bank of it; the token does not fire for a client that hangs up, so the payment is made.
app.MapPost("/payments", async (PaymentRequest request, Ledger ledger, CancellationToken cancellation, [Range(0, 10_000)] int delay = 0) =>
{
    await Task.Delay(delay, cancellation);
    var payment = await ledger.ExecuteAsync("payment", request, cancellation);
    return TypedResults.Created($"/payments/{payment.Id}", payment);
}).WithIdempotency().ProducesValidationProblem();

// The key is selected from the body: two orders of the same person over the same amount are one order, whatever else is sent with them. "orders" is a policy in appsettings.json.
app.MapPost("/orders", async (PaymentRequest request, Ledger ledger, HttpContext context, CancellationToken cancellation) =>
{
    var payment = await ledger.ExecuteAsync("order", request, cancellation);
    return TypedResults.Created($"/payments/{payment.Id}", new OrderReceipt(payment, context.Features.GetRequiredFeature<IIdempotencyFeature>().Key));
}).WithIdempotency("orders").ProducesValidationProblem();

// What was really executed, whatever was sent.
app.MapGet("/payments", (Ledger ledger, CancellationToken cancellation) => ledger.ReadAsync(cancellation));
app.MapGet("/payments/{id}", async (string id, Ledger ledger, CancellationToken cancellation) => await ledger.FindAsync(id, cancellation) is { } payment ? Results.Ok(payment) : Results.NotFound());

app.MapControllers(); // RefundsController: the same with [Idempotent]
app.MapPayouts(); // PayoutQueue: the same without HTTP, for a queue's consumer
app.MapSubscriptions(); // two steps: a retry resumes where the attempt before it stopped
app.MapOpenApi(); // /openapi/v1.json

app.MapGet("/demo/settings", (IOptions<IdempotencyOptions> options) => DemoSettings.Of(options.Value.DefaultPolicy));

await using (var scope = app.Services.CreateAsyncScope())
{
    await scope.ServiceProvider.GetRequiredService<PaymentsDb>().CreateAsync(TimeProvider.System);
}

app.Run();
