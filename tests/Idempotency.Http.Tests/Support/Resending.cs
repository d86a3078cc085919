namespace Idempotency.Http.Tests;

/// <summary>What a resilience handler does to a request: sends the same message again until the answer is a success.</summary>
internal sealed class Resending(int attempts = 3) : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var response = await base.SendAsync(request, cancellationToken);
                if (response.IsSuccessStatusCode || attempt == attempts)
                {
                    return response;
                }
            }
            catch (HttpRequestException) when (attempt < attempts)
            {
            }
        }
    }
}

/// <summary>What hedging does to a request: sends clones of it, made from what it was before the first one went out.</summary>
internal sealed class Hedging(int clones = 3, bool sideBySide = false) : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var requests = Enumerable.Range(0, clones).Select(_ => Clone(request)).ToList();
        var responses = await Task.WhenAll(requests.Select(clone => sideBySide ? Task.Run(() => base.SendAsync(clone, cancellationToken)) : base.SendAsync(clone, cancellationToken)));
        return responses[^1];
    }

    private static HttpRequestMessage Clone(HttpRequestMessage request)
    {
        var clone = new HttpRequestMessage(request.Method, request.RequestUri) { Content = request.Content, Version = request.Version };
        foreach (var (name, values) in request.Headers)
        {
            clone.Headers.TryAddWithoutValidation(name, values);
        }

        foreach (var (name, value) in request.Options)
        {
            ((IDictionary<string, object?>)clone.Options)[name] = value;
        }

        return clone;
    }
}
