using System.Collections.Concurrent;
using System.Threading.Channels;
using Idempotency.AspNetCore;

namespace Payments;

/// <summary>A queue and its consumer in miniature. It delivers at least once, as queues do: here every message comes twice, as if the first acknowledgement had been lost.</summary>
/// <remarks>The consumer does nothing about duplicates itself, on purpose. What keeps them out is <see cref="IIdempotentExecutor"/> alone.</remarks>
public sealed partial class PayoutQueue(IIdempotentExecutor executor, Ledger ledger, TimeProvider time, ILogger<PayoutQueue> logger) : BackgroundService
{
    private readonly Channel<PayoutMessage> _messages = Channel.CreateUnbounded<PayoutMessage>();
    private readonly ConcurrentDictionary<string, PayoutStatus> _done = new();

    public void Enqueue(PayoutMessage message)
    {
        _messages.Writer.TryWrite(message);
        _messages.Writer.TryWrite(message); // the redelivery
    }

    public PayoutStatus? Find(string id) => _done.GetValueOrDefault(id);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var message in _messages.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                await HandleAsync(message, stoppingToken);
            }
            catch (IdempotencyException exception) when (exception.RetryAfter is { } pause)
            {
                _ = RedeliverAsync(message, pause, stoppingToken); // still running elsewhere, or the store is away
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                LogPutAside(logger, message.Id, exception); // where a real queue has its dead letters
            }
        }
    }

    private async Task HandleAsync(PayoutMessage message, CancellationToken cancellation)
    {
        var payment = await executor.ExecuteAsync(
            "payouts",
            message.Id,
            (_, _) => Task.FromResult(ledger.Execute("payout", message.Request)),
            new() { PolicyName = "payouts", Payload = IdempotentPayload.Of(message.Request) },
            cancellation);
        _done.AddOrUpdate(message.Id, static (_, payment) => new PayoutStatus(1, payment), static (_, status, payment) => new PayoutStatus(status.Deliveries + 1, payment), payment);
    }

    private async Task RedeliverAsync(PayoutMessage message, TimeSpan pause, CancellationToken cancellation)
    {
        await Task.Delay(pause, time, cancellation);
        _messages.Writer.TryWrite(message);
    }

    [LoggerMessage(LogLevel.Error, "Payout {Id} is put aside.")]
    private static partial void LogPutAside(ILogger logger, string id, Exception exception);
}
