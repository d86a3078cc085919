using System.Globalization;
using Idempotency.AspNetCore;
using Idempotency.AspNetCore.KilledHost;
using Microsoft.EntityFrameworkCore;

// One of several servers on one store. A request names the point at which it crashes in a header, which is not part of the fingerprint: a retry may name another.
var builder = WebApplication.CreateSlimBuilder(args);
var settings = builder.Configuration;
var store = Setting("Store");
var connection = Setting("Connection");
var hasDatabase = store is "MariaDB" or "PostgreSQL" or "Sqlite";
var idempotency = builder.Services.AddIdempotency();
switch (store)
{
    case "MariaDB" or "PostgreSQL" or "Sqlite":
        builder.Services.AddDbContext<Bank>(options =>
        {
            _ = store switch
            {
                "MariaDB" => options.UseMySQL(connection),
                "PostgreSQL" => options.UseNpgsql(connection),
                _ => options.UseSqlite(connection),
            };
            options.AddInterceptors(new CommitInstants());
        });
        idempotency.AddEntityFrameworkCoreStore<Bank>();
        break;
    case "Redis":
        idempotency.AddRedisStore(options => options.Configuration = connection);
        break;
    case "DynamoDB":
        idempotency.AddDynamoDBStore(options =>
        {
            options.ServiceUrl = connection;
            options.TableName = "Killed";
            options.CreateTableIfMissing = true;
            options.ClockSkewTolerance = TimeSpan.FromSeconds(0.2); // one machine, one clock
        });
        break;
    default:
        throw new InvalidOperationException($"The setting 'Store' is '{store}'. Set it to MariaDB, PostgreSQL, Sqlite, Redis or DynamoDB.");
}

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
var policy = new IdempotencyPolicy
{
    Partition = _ => settings["Namespace"] ?? "tests",
    ClaimDuration = TimeSpan.Parse(settings["Lease"] ?? "00:00:01", CultureInfo.InvariantCulture),
    TransactionRetries = 3,
    ReplayFlagName = null,
};
if (hasDatabase)
{
    app.MapPost("/pay", PaymentEndpoint.PayAsync).WithIdempotency(policy with { Transaction = Enum.Parse<IdempotencyTransaction>(settings["Transaction"] ?? nameof(IdempotencyTransaction.SameAsHandler)) });

    // A connection and the model before the first request, so that a crash comes where it was asked for.
    await using var scope = app.Services.CreateAsyncScope();
    await scope.ServiceProvider.GetRequiredService<Bank>().Payments.AnyAsync();
}

if (settings["Services"] is { } services)
{
    var orders = new OrderEndpoint(new ServicesClient(new HttpClient { BaseAddress = new Uri(services) }, Setting("Server")));
    var refuse = new StepOptions { WhenInterrupted = InterruptedStepBehavior.Refuse };
    app.MapPost("/steps", (HttpContext context, IIdempotentRun run) => orders.PlaceAsync(context, run, null)).WithIdempotency(policy);
    app.MapPost("/steps-refuse", (HttpContext context, IIdempotentRun run) => orders.PlaceAsync(context, run, refuse)).WithIdempotency(policy);
    app.MapPost("/no-steps", orders.PlaceWithoutStepsAsync).WithIdempotency(policy);
    if (store == "PostgreSQL")
    {
        app.MapPost("/steps-same", (HttpContext context, IIdempotentRun run) => orders.PlaceAsync(context, run, null)).WithIdempotency(policy with { Transaction = IdempotencyTransaction.SameAsHandler });
    }
}

app.Run();

string Setting(string name) => settings[name] ?? throw new InvalidOperationException($"The setting '{name}' is missing.");
