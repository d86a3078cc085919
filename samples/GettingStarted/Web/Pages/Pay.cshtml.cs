using Idempotency.AspNetCore;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace GettingStarted.Pages;

#region docs: getting-started-razor-model
[Idempotent("forms")]
public sealed class PayModel(Ledger ledger) : PageModel
{
    [BindProperty]
    public decimal Amount { get; set; }

    public Guid FormId { get; } = Guid.NewGuid();

    public IActionResult OnPost() => RedirectToPage("Paid", new { id = ledger.Pay(Amount) });
}
#endregion
