using System.Globalization;

namespace Idempotency.AspNetCore.KilledHost;

/// <summary>The services that orders need, and the test's notes of what runs when. Both are in another process, which is not killed.</summary>
internal sealed class ServicesClient(HttpClient client, string server)
{
    /// <summary>A run has begun.</summary>
    public Task EnteredAsync(Run run) => PostAsync("entered", run, "", null, default);

    /// <summary>The work of a step: an effect in the service of that name.</summary>
    /// <returns>What it is known by there.</returns>
    public Task<string> CallAsync(Run run, string step, string? key, CancellationToken cancellationToken) => PostAsync("call", run, step, key, cancellationToken);

    /// <summary>A step has returned: it is recorded.</summary>
    public Task ConfirmedAsync(Run run, string step) => PostAsync("confirmed", run, step, null, default);

    /// <summary>A run has heard that its claim is lost.</summary>
    public Task LostAsync(Run run) => PostAsync("lost", run, "", null, default);

    private async Task<string> PostAsync(string what, Run run, string step, string? key, CancellationToken cancellationToken)
    {
        var uri = string.Create(CultureInfo.InvariantCulture, $"/{what}?run={run.Id}&key={Uri.EscapeDataString(run.Key)}&attempt={run.Attempt}&server={server}&step={step}");
        using var request = new HttpRequestMessage(HttpMethod.Post, uri);
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        using var response = await client.SendAsync(request, cancellationToken);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadAsStringAsync(cancellationToken);
    }

    /// <summary>One execution of the handler.</summary>
    internal sealed record Run(Guid Id, string Key, int Attempt);
}
