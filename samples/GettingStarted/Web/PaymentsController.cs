using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Mvc;

namespace GettingStarted;

#region docs: getting-started-mvc-controller
[ApiController, Route("payments")]
public sealed class PaymentsController(Ledger ledger) : ControllerBase
{
    [HttpPost, Idempotent]
    public IActionResult Pay(PaymentRequest request)
    {
        var id = ledger.Pay(request.Amount);
        return Created($"/payments/{id}", new { id, request.Amount });
    }
}
#endregion
