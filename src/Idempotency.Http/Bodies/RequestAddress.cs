namespace Idempotency.Http;

/// <summary>The address of a request for messages, without user, password and query, which may be secret.</summary>
internal static class RequestAddress
{
    public static string Of(HttpRequestMessage request) =>
        request.RequestUri is { IsAbsoluteUri: true } uri ? uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped) : "(no address)";
}
