using System.Net.Http.Headers;

namespace Idempotency.Http.Tests;

/// <summary>Problems as the server writes them, for scripted services.</summary>
internal static class Problems
{
    public static Action<HttpResponseMessage> Of(string code, string? retry = null, string? retryAfter = null) => response =>
    {
        if (retryAfter is not null)
        {
            response.Headers.TryAddWithoutValidation("Retry-After", retryAfter);
        }

        response.Content = new StringContent(
            $$"""{"code":"{{code}}"{{(retry is null ? "" : $",\"retry\":\"{retry}\"")}}}""", MediaTypeHeaderValue.Parse("application/problem+json"));
    };

    public static Action<HttpResponseMessage> InProgress(string? retryAfter = "1") => Of(IdempotencyProblemCodes.RequestInProgress, "same-key", retryAfter);

    public static void Replayed(HttpResponseMessage response) => response.Headers.Add(IdempotencyHeaderNames.Replayed, "true");
}
