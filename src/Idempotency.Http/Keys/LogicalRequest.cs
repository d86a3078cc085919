namespace Idempotency.Http;

/// <summary>
/// What the attempts of one logical request share. It travels in <see cref="HttpRequestMessage.Options"/>, and those who send a request again as a
/// clone (hedging, for one) copy the options: so a clone has the same key, even when the first attempt had none yet as it was cloned.
/// </summary>
internal sealed class LogicalRequest
{
    private static readonly HttpRequestOptionsKey<LogicalRequest> OptionsKey = new("Idempotency.Http.LogicalRequest");

    private volatile string? _key;

    /// <summary>The key as the caller thinks of it, in no particular format; null as long as there is none.</summary>
    public string? Key
    {
        get => _key;
        set => _key = value;
    }

    /// <summary>Whether the caller wants this request to go out as it is.</summary>
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

    /// <summary>The key there is, or else this one: of two attempts at once, one decides for both.</summary>
    public string KeyOr(string generated) => Interlocked.CompareExchange(ref _key, generated, null) ?? generated;
}
