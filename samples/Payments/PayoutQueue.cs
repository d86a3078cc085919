using Idempotency.AspNetCore;
using Microsoft.EntityFrameworkCore;

namespace Payments;

/// <summary>A minimal queue consumer. Queues deliver at least once: here every message is delivered twice, as if the first acknowledgement had been lost.</summary>
/// <remarks>The consumer deliberately does not check for duplicates. Only <see cref="IIdempotentExecutor"/> prevents them.</remarks>
public sealed partial class PayoutQueue(IServiceScopeFactory scopes, IIdempotentExecutor executor, TimeProvider time, ILogger<PayoutQueue> logger) : BackgroundService
{
    private const int DeliveriesOfEach = 2;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var tick = new PeriodicTimer(Interval, time);
        while (await tick.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await DeliverAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                LogNotDelivered(logger, exception); // a message that was not acknowledged is delivered again
            }
        }
    }

    private async Task DeliverAsync(CancellationToken cancellation)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<PaymentsDb>();
        foreach (var message in await db.Payouts.AsNoTracking().Where(payout => payout.Deliveries < DeliveriesOfEach).OrderBy(payout => payout.Id).Take(100).ToListAsync(cancellation))
        {
            var payment = await HandleAsync(message, cancellation);
            await db.Payouts.Where(payout => payout.Id == message.Id).ExecuteUpdateAsync( // the acknowledgement
                done => done.SetProperty(payout => payout.Deliveries, payout => payout.Deliveries + 1).SetProperty(payout => payout.PaymentId, payment.Id),
                cancellation);
        }
    }

    private async Task<Payment> HandleAsync(Payout message, CancellationToken cancellation)
    {
        await using var scope = scopes.CreateAsyncScope(); // the payment and its record are committed together, in this scope's transaction
        var ledger = scope.ServiceProvider.GetRequiredService<Ledger>();
        return await executor.ExecuteAsync(
            "payouts",
            message.Id,
            (_, cancel) => ledger.ExecuteAsync("payout", message.Request, cancel),
            new() { PolicyName = "payouts", Payload = IdempotentPayload.Of(message.Request), Services = scope.ServiceProvider },
            cancellation);
    }

    [LoggerMessage(LogLevel.Error, "Payouts could not be delivered; they come again.")]
    private static partial void LogNotDelivered(ILogger logger, Exception exception);
}
