using System.ComponentModel.DataAnnotations;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Payments;

var builder = WebApplication.CreateBuilder(args);
builder.Configuration.ApplyCacheTime();
builder.Configuration.ApplyTransaction();
builder.AddTelemetryExport(); // with OTEL_EXPORTER_OTLP_ENDPOINT: metrics, traces and logs

// The demo has no users, so all visitors share one partition. An API with authenticated users does not need this line: each user has a partition of their own.
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

// The demo has no users, so in Development everybody is an operator. A real API names who is: policy.RequireRole("operator").
if (builder.Environment.IsDevelopment())
{
    builder.Services.AddAuthorization(options => options.AddPolicy("operators", policy => policy.RequireAssertion(_ => true)));
}

var app = builder.Build();
app.UseExceptionHandler();
app.UseStatusCodePages();
app.UseDefaultFiles();
app.UseStaticFiles();
app.UseAuthentication(); // before UseIdempotency(), because the caller determines the partition
app.UseAuthorization();
app.UseIdempotency();

// The key is the Idempotency-Key header. ?delay= simulates a slow bank. A disconnect does not cancel the token, so the payment is still made.
app.MapPost("/payments", async (PaymentRequest request, Ledger ledger, CancellationToken cancellation, [Range(0, 10_000)] int delay = 0) =>
{
    await Task.Delay(delay, cancellation);
    var payment = await ledger.ExecuteAsync("payment", request, cancellation);
    return TypedResults.Created($"/payments/{payment.Id}", payment);
}).WithIdempotency().ProducesValidationProblem();

// The key is selected from the body: two orders with the same person and amount are one order, whatever else is sent with them. "orders" is a policy in appsettings.json.
app.MapPost("/orders", async (PaymentRequest request, Ledger ledger, HttpContext context, CancellationToken cancellation) =>
{
    var payment = await ledger.ExecuteAsync("order", request, cancellation);
    return TypedResults.Created($"/payments/{payment.Id}", new OrderReceipt(payment, context.Features.GetRequiredFeature<IIdempotencyFeature>().Key));
}).WithIdempotency("orders").ProducesValidationProblem();

// The executed payments, however many requests were sent.
app.MapGet("/payments", (Ledger ledger, CancellationToken cancellation) => ledger.ReadAsync(cancellation));
app.MapGet("/payments/{id}", async (string id, Ledger ledger, CancellationToken cancellation) => await ledger.FindAsync(id, cancellation) is { } payment ? Results.Ok(payment) : Results.NotFound());

app.MapControllers(); // RefundsController: MVC with [Idempotent]
app.MapPayouts(); // PayoutQueue: a queue consumer without HTTP
app.MapSubscriptions(); // two steps: a retry resumes where the previous attempt stopped
app.MapOpenApi(); // /openapi/v1.json

if (app.Environment.IsDevelopment())
{
    app.MapIdempotencyDashboard("operators"); // /idempotency/
}

app.MapGet("/demo/settings", (IOptions<IdempotencyOptions> options) => DemoSettings.Of(options.Value.DefaultPolicy, app.Environment.IsDevelopment()));

await using (var scope = app.Services.CreateAsyncScope())
{
    await scope.ServiceProvider.GetRequiredService<PaymentsDb>().CreateAsync(TimeProvider.System);
}

app.Run();
