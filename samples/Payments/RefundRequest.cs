using System.ComponentModel.DataAnnotations;

namespace Payments;

/// <summary>A request for a refund of a payment.</summary>
public sealed record RefundRequest([Required] string PaymentId);
