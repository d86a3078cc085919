using System.Text;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>Requests and what comes back.</summary>
internal static class Requests
{
    public static async Task<HttpResponseMessage> PostAsync(this HttpClient client, string path, string? key, string json)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return await client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    public static bool IsReplay(this HttpResponseMessage response) => response.Headers.Contains("Idempotent-Replayed");

    public static Task<string> TextAsync(this HttpResponseMessage response) => response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
}
