using System.Net.Http.Json;
using System.Text.Json;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>What a client was told.</summary>
/// <param name="Status">The status; 0 when no answer came.</param>
/// <param name="Code">The problem's code, if it is one.</param>
/// <param name="Body">The bytes, as text.</param>
/// <param name="IsReplay">Whether it says to be a replay.</param>
/// <param name="IsUnstored">Whether it says not to be recorded.</param>
public sealed record Answer(int Status, string? Code, string Body, bool IsReplay, bool IsUnstored)
{
    public const string InProgress = "idempotency-request-in-progress";
    public const string OutcomeUnknown = "idempotency-outcome-unknown";
    public const string StoreUnavailable = "idempotency-store-unavailable";

    /// <summary>The connection ended without one.</summary>
    public static Answer None { get; } = new(0, null, "", false, false);

    public bool IsSuccess => Status == 200;

    /// <summary>The effect that a success tells of.</summary>
    internal Effect Effect => JsonSerializer.Deserialize<Effect>(Body, JsonSerializerOptions.Web)!;

    public static async Task<Answer> ReadAsync(HttpResponseMessage response)
    {
        var code = response.Content.Headers.ContentType?.MediaType == "application/problem+json"
            ? (await response.Content.ReadFromJsonAsync<JsonElement>()).TryGetProperty("code", out var member) ? member.GetString() : null
            : null;
        return new Answer(
            (int)response.StatusCode,
            code,
            await response.Content.ReadAsStringAsync(),
            response.Headers.Contains(IdempotencyHeaders.Replayed),
            response.Headers.TryGetValues(IdempotencyHeaders.Stored, out var stored) && stored.Single() == "false");
    }
}
