using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Every event the dashboard logs.</summary>
internal static partial class DashboardLog
{
    [LoggerMessage(301, LogLevel.Warning, "{StoreKey}: the record was forgotten by the operator '{Operator}'. It was {State}; the next request with its key runs.", EventName = "RecordForgotten")]
    public static partial void RecordForgotten(ILogger logger, StoreKey storeKey, string @operator, string state);

    [LoggerMessage(302, LogLevel.Error, "The dashboard could not read the store.", EventName = "DashboardStoreFailed")]
    public static partial void StoreFailed(ILogger logger, Exception exception);

    [LoggerMessage(303, LogLevel.Error, "The dashboard's numbers could not be gathered.", EventName = "DashboardNumbersFailed")]
    public static partial void NumbersFailed(ILogger logger, Exception exception);
}
