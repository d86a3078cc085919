using System.Text.Json.Serialization;

namespace Idempotency.AspNetCore;

/// <summary>Serializes <see cref="AdminDocuments"/> without reflection, regardless of the application's own JSON options.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AdminDocuments.Record))]
[JsonSerializable(typeof(AdminDocuments.AbandonedClaims))]
[JsonSerializable(typeof(AdminDocuments.RunningClaims))]
[JsonSerializable(typeof(AdminDocuments.AllIncidents))]
[JsonSerializable(typeof(AdminDocuments.Search))]
[JsonSerializable(typeof(AdminDocuments.Problem))]
internal sealed partial class AdminJson : JsonSerializerContext;
