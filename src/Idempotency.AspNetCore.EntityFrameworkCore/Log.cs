using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Every event this store logs.</summary>
internal static partial class Log
{
    [LoggerMessage(101, LogLevel.Warning, "Expired idempotency records could not be removed; it is tried again in {Interval}.", EventName = "RemovalFailed")]
    public static partial void RemovalFailed(ILogger logger, TimeSpan interval, Exception exception);

    [LoggerMessage(102, LogLevel.Debug, "{Count} expired idempotency records are removed.", EventName = "Removed")]
    public static partial void Removed(ILogger logger, int count);

    [LoggerMessage(103, LogLevel.Warning, "A handler's transaction could not be rolled back in order; the database undoes what was not committed when the connection ends.", EventName = "RollbackFailed")]
    public static partial void RollbackFailed(ILogger logger, Exception exception);

    [LoggerMessage(105, LogLevel.Warning, "The table of idempotency records could not be checked, because the database did not respond.", EventName = "TableNotChecked")]
    public static partial void TableNotChecked(ILogger logger, Exception exception);

    [LoggerMessage(104, LogLevel.Error, "What a handler had changed in its context could not be forgotten after its transaction was undone: the context may still be in use by something that was not awaited.", EventName = "ChangesNotForgotten")]
    public static partial void ChangesNotForgotten(ILogger logger, Exception exception);
}
