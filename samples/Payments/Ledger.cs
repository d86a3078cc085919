using System.Globalization;
using System.Security.Cryptography;

namespace Payments;

/// <summary>The effect: one line for each time a handler really ran.</summary>
/// <remarks>It does nothing about duplicates itself, on purpose. What keeps them out is the library alone.</remarks>
public sealed class Ledger(TimeProvider time)
{
    private const int Shown = 50;

    private readonly Lock _lock = new();
    private readonly List<Payment> _payments = [];
    private readonly DateTimeOffset _since = time.GetUtcNow();

    public Payment Execute(string kind, PaymentRequest request)
    {
        lock (_lock)
        {
            var execution = _payments.Count + 1;
            var id = string.Create(CultureInfo.InvariantCulture, $"{kind}-{execution}-{RandomNumberGenerator.GetHexString(6, lowercase: true)}");
            var payment = new Payment(id, kind, request.Name, request.Email, request.Amount, execution, time.GetUtcNow());
            _payments.Add(payment);
            return payment;
        }
    }

    public Payment? Find(string id)
    {
        lock (_lock)
        {
            return _payments.Find(payment => payment.Id == id);
        }
    }

    public LedgerPage Read()
    {
        lock (_lock)
        {
            return new LedgerPage(_payments.Count, _since, [.. _payments.TakeLast(Shown).Reverse()]);
        }
    }
}
