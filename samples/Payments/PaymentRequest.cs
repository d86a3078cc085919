using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Payments;

/// <summary>A request for a payment.</summary>
/// <remarks>A number in quotes is rejected: to the library, <c>"10"</c> and <c>10</c> are different requests, so they must not be the same to the handler.</remarks>
[JsonNumberHandling(JsonNumberHandling.Strict)]
public sealed record PaymentRequest(
    [Required, StringLength(100)] string Name,
    [Required, EmailAddress, StringLength(254)] string Email,
    [Range(typeof(decimal), "0.01", "1000000", ParseLimitsInInvariantCulture = true, ConvertValueInInvariantCulture = true)] decimal Amount);
