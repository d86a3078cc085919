using System.ComponentModel.DataAnnotations;

namespace Payments;

/// <summary>Which payment is to be given back.</summary>
public sealed record RefundRequest([Required] string PaymentId);
