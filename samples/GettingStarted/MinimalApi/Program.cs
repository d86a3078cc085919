#region docs: getting-started-minimal
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddIdempotency();

var app = builder.Build();
app.UseIdempotency();

var payments = 0;
app.MapPost("/payments", async (Payment payment) =>
{
    await Task.Delay(payment.Delay); // a slow bank
    return TypedResults.Created($"/payments/{++payments}", new { Id = payments, payment.Amount });
}).WithIdempotency();

app.Run();

internal sealed record Payment(decimal Amount, int Delay = 0);
#endregion
