using System.Collections.Concurrent;

namespace PaymentsAot;

/// <summary>The effects, counted. It does nothing about duplicates itself, on purpose: what keeps them out is the library alone.</summary>
internal sealed class Ledger(TimeProvider time)
{
    private readonly ConcurrentQueue<Payment> _payments = new();
    private int _welcomes;

    public Payment Execute(string kind, PaymentRequest request)
    {
        var payment = new Payment($"{kind}-{Guid.NewGuid():N}", kind, request.Name, request.Amount, time.GetUtcNow());
        _payments.Enqueue(payment);
        return payment;
    }

    /// <summary>Sends a mail, as it were.</summary>
    public Task WelcomeAsync(Payment payment)
    {
        ArgumentNullException.ThrowIfNull(payment);
        Interlocked.Increment(ref _welcomes);
        return Task.CompletedTask;
    }

    public LedgerPage Read() => new([.. _payments], _welcomes);
}
