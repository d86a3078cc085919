using System.Text.Json.Serialization;

namespace PaymentsAot;

/// <summary>How everything that is sent, received or recorded is written as JSON: generated at build time, because native code cannot reflect.</summary>
[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(PaymentRequest))]
[JsonSerializable(typeof(Payment))]
[JsonSerializable(typeof(Subscription))]
[JsonSerializable(typeof(LedgerPage))]
internal sealed partial class PaymentsJson : JsonSerializerContext;
