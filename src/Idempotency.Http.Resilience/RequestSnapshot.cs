namespace Idempotency.Http;

/// <summary>
/// A request as it was before its first attempt. An attempt changes the message: a redirect replaces the method, address and content and
/// removes the authorization, and inner handlers add headers. Each retry must start with the original request; otherwise, it would be a different one.
/// </summary>
internal sealed class RequestSnapshot
{
    private readonly HttpMethod _method;
    private readonly Uri? _address;
    private readonly HttpContent? _content;
    private readonly Version _version;
    private readonly HttpVersionPolicy _versionPolicy;
    private readonly List<KeyValuePair<string, string[]>> _headers = [];

    public RequestSnapshot(HttpRequestMessage request)
    {
        _method = request.Method;
        _address = request.RequestUri;
        _content = request.Content;
        _version = request.Version;
        _versionPolicy = request.VersionPolicy;
        foreach (var (name, values) in request.Headers.NonValidated)
        {
            _headers.Add(new(name, [.. values]));
        }
    }

    public void Restore(HttpRequestMessage request)
    {
        request.Method = _method;
        request.RequestUri = _address;
        request.Content = _content;
        request.Version = _version;
        request.VersionPolicy = _versionPolicy;
        request.Headers.Clear();
        foreach (var (name, values) in _headers)
        {
            request.Headers.TryAddWithoutValidation(name, values);
        }
    }
}
