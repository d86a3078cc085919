using Microsoft.Extensions.Logging;

namespace Idempotency.Http;

/// <summary>Every event the client logs. Neither the key nor the query of the address is in any of them.</summary>
/// <remarks>
/// Defined by hand: the generator behind [LoggerMessage] comes only with a reference to Microsoft.Extensions.Logging.Abstractions, which would be a second dependency
/// of the package or, as a private one, be hidden from projects that reference this one.
/// </remarks>
internal static class Log
{
    private static readonly Action<ILogger, HttpMethod, string, int, string, TimeSpan, Exception?> Retried = LoggerMessage.Define<HttpMethod, string, int, string, TimeSpan>(
        LogLevel.Information, new EventId(1, nameof(Retrying)), "{Method} {Address}: attempt {Attempt} ended with {Outcome}; the next follows in {Delay} with the same idempotency key.");

    private static readonly Action<ILogger, HttpMethod, string, int, string, string, Exception?> Ended = LoggerMessage.Define<HttpMethod, string, int, string, string>(
        LogLevel.Warning, new EventId(2, nameof(GaveUp)), "{Method} {Address}: attempt {Attempt} ended with {Outcome}, and none follows: {Reason}.");

    public static void Retrying(ILogger logger, HttpMethod method, string address, int attempt, string outcome, TimeSpan delay) =>
        Retried(logger, method, address, attempt, outcome, delay, null);

    public static void GaveUp(ILogger logger, HttpMethod method, string address, int attempt, string outcome, string reason) =>
        Ended(logger, method, address, attempt, outcome, reason, null);
}
