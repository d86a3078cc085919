namespace Idempotency.Http;

/// <summary>
/// The state that the attempts of one logical request share. It is in <see cref="HttpRequestMessage.Options"/>, and handlers that clone a
/// request (for example, hedging) copy the options: a clone has the same key, even if the first attempt had none yet when it was cloned.
/// </summary>
internal sealed class LogicalRequest
{
    private static readonly HttpRequestOptionsKey<LogicalRequest> OptionsKey = new("Idempotency.Http.LogicalRequest");

    private volatile string? _key;

    /// <summary>The key, unquoted; null if there is none yet.</summary>
    public string? Key
    {
        get => _key;
        set => _key = value;
    }

    /// <summary>Whether the caller excluded this request.</summary>
    public bool IsExcluded { get; set; }

    public static LogicalRequest? Find(HttpRequestMessage request) => request.Options.TryGetValue(OptionsKey, out var found) ? found : null;

    public static LogicalRequest Of(HttpRequestMessage request)
    {
        if (Find(request) is { } found)
        {
            return found;
        }

        var created = new LogicalRequest();
        request.Options.Set(OptionsKey, created);
        return created;
    }

    /// <summary>The existing key, or this one: of two concurrent attempts, one decides for both.</summary>
    public string KeyOr(string generated) => Interlocked.CompareExchange(ref _key, generated, null) ?? generated;
}
