using Microsoft.Extensions.Logging;

namespace Idempotency.Http;

/// <summary>Every event the client logs. Neither the key nor the query of the address is in any of them.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "{Method} {Address}: attempt {Attempt} ended with {Outcome}; the next follows in {Delay} with the same idempotency key.", EventName = "Retrying")]
    public static partial void Retrying(ILogger logger, HttpMethod method, string address, int attempt, string outcome, TimeSpan delay);

    [LoggerMessage(2, LogLevel.Warning, "{Method} {Address}: attempt {Attempt} ended with {Outcome}, and none follows: {Reason}.", EventName = "GaveUp")]
    public static partial void GaveUp(ILogger logger, HttpMethod method, string address, int attempt, string outcome, string reason);
}
