using System.Runtime.ExceptionServices;

namespace Idempotency.Http;

/// <summary>How one attempt ended: with an answer or with an error, and whether another may end better.</summary>
internal sealed class Attempt
{
    private readonly HttpResponseMessage? _response;
    private readonly ExceptionDispatchInfo? _error;

    public Attempt(HttpResponseMessage response, bool isRetried, TimeSpan? retryAfter)
    {
        _response = response;
        IsRetried = isRetried;
        RetryAfter = retryAfter;
    }

    public Attempt(Exception error, bool isRetried)
    {
        _error = ExceptionDispatchInfo.Capture(error);
        IsRetried = isRetried;
    }

    public bool IsRetried { get; }

    public TimeSpan? RetryAfter { get; }

    /// <summary>For the log.</summary>
    public string Outcome => _response is not null ? ((int)_response.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture) : _error!.SourceException.GetType().Name;

    /// <summary>Ends the whole as this attempt ended.</summary>
    public HttpResponseMessage End()
    {
        _error?.Throw();
        return _response!;
    }

    /// <summary>Another attempt follows: this one's answer is nobody's.</summary>
    public void Discard() => _response?.Dispose();
}
