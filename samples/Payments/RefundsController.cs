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
    public ActionResult<Payment> Refund(RefundRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (ledger.Find(request.PaymentId) is not { } payment)
        {
            return NotFound();
        }

        var refund = ledger.Execute("refund", new PaymentRequest(payment.Name, payment.Email, payment.Amount));
        return Created($"/payments/{refund.Id}", refund);
    }
}
