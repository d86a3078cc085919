using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Mvc;

namespace Payments;

/// <summary>The same protection in MVC: one attribute on the action, or on the controller.</summary>
[ApiController]
[Route("refunds")]
public sealed class RefundsController(Ledger ledger) : ControllerBase
{
    [HttpPost]
    [Idempotent]
    public async Task<ActionResult<Payment>> Refund(RefundRequest request, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (await ledger.FindAsync(request.PaymentId, cancellation) is not { } payment)
        {
            return NotFound();
        }

        var refund = await ledger.ExecuteAsync("refund", new PaymentRequest(payment.Name, payment.Email, payment.Amount), cancellation);
        return Created($"/payments/{refund.Id}", refund);
    }
}
