using System.Text;

namespace Idempotency.Http.Tests;

/// <summary>A service that answers as the test's script says, and writes down what it was sent. It answers at once: time passes only where a test moves it.</summary>
internal sealed class Service : HttpMessageHandler
{
    private readonly List<Received> _requests = [];
    private readonly Queue<Func<Received, CancellationToken, Task<HttpResponseMessage>>> _script = new();
    private Func<Received, CancellationToken, Task<HttpResponseMessage>> _afterwards = static (_, _) => Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK));

    public IReadOnlyList<Received> Requests => _requests;

    /// <summary>The keys it saw, as they were written.</summary>
    public IEnumerable<string?> Keys => _requests.Select(request => request.Header("Idempotency-Key"));

    /// <summary>Answers that were given and not disposed.</summary>
    public List<Answer> Answers { get; } = [];

    public Service Then(HttpStatusCode status, Action<HttpResponseMessage>? with = null) => Then((_, _) => Task.FromResult<HttpResponseMessage>(Make(status, with)));

    public Service Then(int status, Action<HttpResponseMessage>? with = null) => Then((HttpStatusCode)status, with);

    public Service Then(Exception error) => Then((_, _) => Task.FromException<HttpResponseMessage>(error));

    public Service Then(Func<Received, CancellationToken, Task<HttpResponseMessage>> answer)
    {
        _script.Enqueue(answer);
        return this;
    }

    /// <summary>Says nothing until it is given up.</summary>
    public Service ThenSilence() => Then((_, cancellationToken) =>
    {
        var forever = new TaskCompletionSource<HttpResponseMessage>();
        cancellationToken.Register(() => forever.TrySetCanceled(cancellationToken));
        return forever.Task;
    });

    public Service Always(int status, Action<HttpResponseMessage>? with = null)
    {
        _afterwards = (_, _) => Task.FromResult<HttpResponseMessage>(Make((HttpStatusCode)status, with));
        return this;
    }

    public Service Always(Exception error)
    {
        _afterwards = (_, _) => Task.FromException<HttpResponseMessage>(error);
        return this;
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var received = new Received(request, request.Content is { } content ? await content.ReadSentAsync().ConfigureAwait(false) : null);
        return await AnswerAsync(received, request, cancellationToken).ConfigureAwait(false);
    }

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var sent = new MemoryStream();
        request.Content?.CopyTo(sent, null, cancellationToken);
        return AnswerAsync(new Received(request, sent.ToArray()), request, cancellationToken).GetAwaiter().GetResult();
    }

    private async Task<HttpResponseMessage> AnswerAsync(Received received, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        lock (_requests)
        {
            _requests.Add(received);
        }

        var answer = _script.TryDequeue(out var scripted) ? scripted : _afterwards;
        var response = await answer(received, cancellationToken).ConfigureAwait(false);
        response.RequestMessage ??= request;
        return response;
    }

    private Answer Make(HttpStatusCode status, Action<HttpResponseMessage>? with)
    {
        var answer = new Answer(status);
        with?.Invoke(answer);
        Answers.Add(answer);
        return answer;
    }

    internal sealed class Answer(HttpStatusCode status) : HttpResponseMessage(status)
    {
        public bool IsDisposed { get; private set; }

        protected override void Dispose(bool disposing)
        {
            IsDisposed = true;
            base.Dispose(disposing);
        }
    }
}

/// <summary>A request as it arrived.</summary>
internal sealed class Received(HttpRequestMessage request, byte[]? body)
{
    private readonly Dictionary<string, string[]> _headers = request.Headers.NonValidated.Concat(request.Content?.Headers.NonValidated ?? default)
        .ToDictionary(header => header.Key, header => header.Value.ToArray(), StringComparer.OrdinalIgnoreCase);

    public HttpMethod Method { get; } = request.Method;

    public Uri? Address { get; } = request.RequestUri;

    public byte[]? Body => body;

    public string Text => Encoding.UTF8.GetString(body ?? []);

    public string? Header(string name) => _headers.TryGetValue(name, out var values) ? string.Join(" | ", values) : null;
}

internal static class Contents
{
    /// <summary>What a connection would have been sent: the content as it is copied, not as it is kept.</summary>
    public static async Task<byte[]> ReadSentAsync(this HttpContent content)
    {
        using var sent = new MemoryStream();
        await content.CopyToAsync(sent).ConfigureAwait(false);
        return sent.ToArray();
    }
}
