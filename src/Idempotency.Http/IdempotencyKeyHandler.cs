namespace Idempotency.Http;

/// <summary>
/// Adds an idempotency key to each logical request, the same for all of its attempts. Usually added with
/// <c>AddHttpClient(...).AddIdempotencyKeys()</c>; without a factory, use <c>new HttpClient(new IdempotencyKeyHandler { InnerHandler = new SocketsHttpHandler() })</c>.
/// </summary>
/// <remarks>
/// <para>The path of a request:</para>
/// <para>1. It gets a key, unless it has one or needs none. A request without a key is sent unchanged.</para>
/// <para>2. Its body is made repeatable, if the options require it.</para>
/// <para>3. It is sent once: retries come from a resilience handler or the caller.</para>
/// </remarks>
public sealed class IdempotencyKeyHandler : DelegatingHandler
{
    private readonly KeyHeader _keys;
    private readonly RepeatableBody? _bodies;

    /// <summary>Creates a handler.</summary>
    /// <param name="options">The options, which are read once. Null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is not valid; the message names the option and the fix.</exception>
    public IdempotencyKeyHandler(IdempotencyKeyOptions? options = null)
    {
        options ??= new IdempotencyKeyOptions();
        if (string.Join(" ", KeyOptionsValidation.Errors(options)) is { Length: > 0 } errors)
        {
            throw new ArgumentException(errors, nameof(options));
        }

        _keys = new KeyHeader(options);
        _bodies = options.BufferRequestBodies ? new RepeatableBody(options) : null;
    }

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return !_keys.Stamp(request) || _bodies is null || request.Content is null
            ? base.SendAsync(request, cancellationToken)
            : SendRepeatableAsync(request, _bodies, cancellationToken);
    }

    /// <inheritdoc/>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (_keys.Stamp(request) && _bodies is not null)
        {
            _bodies.EnsureAsync(request, async: false, cancellationToken).AsTask().GetAwaiter().GetResult(); // has already completed, because nothing in it awaits
        }

        return base.Send(request, cancellationToken);
    }

    private async Task<HttpResponseMessage> SendRepeatableAsync(HttpRequestMessage request, RepeatableBody bodies, CancellationToken cancellationToken)
    {
        await bodies.EnsureAsync(request, async: true, cancellationToken).ConfigureAwait(false);
        return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
    }
}
