using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;

namespace Payments;

/// <summary>The effect: one row for each time a handler ran.</summary>
/// <remarks>It deliberately does not check for duplicates. Only the library prevents them.</remarks>
public sealed class Ledger(PaymentsDb db, TimeProvider time)
{
    private const int Shown = 50;

    public async Task<Payment> ExecuteAsync(string kind, PaymentRequest request, CancellationToken cancellation)
    {
        var payment = new Payment($"{kind}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}", kind, request.Name, request.Email, request.Amount, time.GetUtcNow());
        db.Payments.Add(payment);
        await db.SaveChangesAsync(cancellation);
        return payment;
    }

    public Task<Payment?> FindAsync(string id, CancellationToken cancellation) => db.Payments.AsNoTracking().FirstOrDefaultAsync(payment => payment.Id == id, cancellation);

    public async Task<LedgerPage> ReadAsync(CancellationToken cancellation) => new(
        await db.Payments.CountAsync(cancellation),
        (await db.Openings.AsNoTracking().OrderBy(opening => opening.Id).FirstAsync(cancellation)).Since,
        await db.Payments.AsNoTracking().OrderByDescending(payment => payment.Execution).Take(Shown).ToListAsync(cancellation));
}
