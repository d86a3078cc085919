using System.Globalization;
using Idempotency.AspNetCore;
using Idempotency.AspNetCore.KilledHost;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;

// One of several servers on one database. A request names the point at which it crashes in a header, which is not part of the fingerprint: a retry may name another.
var builder = WebApplication.CreateSlimBuilder(args);
var settings = builder.Configuration;
var connection = settings["Connection"] ?? throw new InvalidOperationException("The setting 'Connection' is missing: a connection string.");
builder.Services.AddDbContext<Bank>(options =>
{
    _ = settings["Database"] switch
    {
        "MariaDB" => options.UseMySQL(connection),
        "PostgreSQL" => options.UseNpgsql(connection),
        "Sqlite" => options.UseSqlite(connection),
        var other => throw new InvalidOperationException($"The setting 'Database' is '{other}'. Set it to MariaDB, PostgreSQL or Sqlite."),
    };
    options.AddInterceptors(new CommitInstants());
});
builder.Services.AddIdempotency().AddEntityFrameworkCoreStore<Bank>();
builder.Services.AddProblemDetails();

var app = builder.Build();
app.Use((context, next) =>
{
    CrashPoint.Ask(context.Request.Headers["Test-Crash"]);
    context.Response.Headers["Test-Host"] = "killed";
    context.Response.OnStarting(() =>
    {
        CrashPoint.Reach(CrashPoint.Sending);
        return Task.CompletedTask;
    });
    return next(context);
});
app.UseIdempotency();

// The lease is short, so that what was killed is soon taken over; and longer than a loaded machine keeps a live process from renewing it, most of the time.
app.MapPost("/pay", PayAsync).WithIdempotency(new IdempotencyPolicy
{
    Partition = _ => "tests",
    ClaimDuration = TimeSpan.Parse(settings["Lease"] ?? "00:00:01", CultureInfo.InvariantCulture),
    Transaction = Enum.Parse<IdempotencyTransaction>(settings["Transaction"] ?? nameof(IdempotencyTransaction.SameAsHandler)),
    TransactionRetries = 3,
    ReplayFlagName = null,
});

// A connection and the model before the first request, so that a crash comes where it was asked for.
await using (var scope = app.Services.CreateAsyncScope())
{
    await scope.ServiceProvider.GetRequiredService<Bank>().Payments.AnyAsync();
}

app.Run();

static async Task<IResult> PayAsync(HttpContext context, Bank bank)
{
    var key = context.Features.GetRequiredFeature<IIdempotencyFeature>().Key;
    var run = Guid.NewGuid();
    CrashPoint.Reach(CrashPoint.Entered);
    bank.Add(new Payment(run, key));
    await bank.SaveChangesAsync();
    CrashPoint.Reach(CrashPoint.BetweenSaves);
    bank.Add(new Entry(run, key));
    await bank.SaveChangesAsync();
    CrashPoint.Reach(CrashPoint.Saved);
    return Results.Text(run.ToString());
}
