using System.Text.Json.Serialization;

namespace Idempotency.AspNetCore;

/// <summary>Reads and writes <see cref="AdminDocuments"/> without reflection, whatever the application's own JSON settings.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AdminDocuments.Record))]
[JsonSerializable(typeof(AdminDocuments.AbandonedClaims))]
[JsonSerializable(typeof(AdminDocuments.RunningClaims))]
[JsonSerializable(typeof(AdminDocuments.AllIncidents))]
[JsonSerializable(typeof(AdminDocuments.Search))]
[JsonSerializable(typeof(AdminDocuments.Problem))]
internal sealed partial class AdminJson : JsonSerializerContext;
