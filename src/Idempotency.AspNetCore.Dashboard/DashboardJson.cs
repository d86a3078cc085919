using System.Text.Json.Serialization;

namespace Idempotency.AspNetCore;

/// <summary>Reads and writes the dashboard's documents without reflection, whatever the application's own JSON settings.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NumbersDocument))]
[JsonSerializable(typeof(AttentionDocument))]
[JsonSerializable(typeof(RecordDocument))]
[JsonSerializable(typeof(RecordRequest))]
[JsonSerializable(typeof(ForgottenDocument))]
[JsonSerializable(typeof(DashboardProblem))]
internal sealed partial class DashboardJson : JsonSerializerContext;
