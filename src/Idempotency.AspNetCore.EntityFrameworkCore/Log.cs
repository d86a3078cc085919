using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>The log events of the Entity Framework Core store. Ids from 101.</summary>
internal static partial class Log
{
    [LoggerMessage(101, LogLevel.Warning, "Expired idempotency records could not be deleted. Retrying in {Interval}.", EventName = "RemovalFailed")]
    public static partial void RemovalFailed(ILogger logger, TimeSpan interval, Exception exception);

    [LoggerMessage(102, LogLevel.Debug, "Deleted {Count} expired idempotency records.", EventName = "Removed")]
    public static partial void Removed(ILogger logger, int count);

    [LoggerMessage(103, LogLevel.Warning, "A handler's transaction could not be rolled back. The database rolls it back when the connection is closed.", EventName = "RollbackFailed")]
    public static partial void RollbackFailed(ILogger logger, Exception exception);

    [LoggerMessage(105, LogLevel.Warning, "The idempotency records table could not be checked, because the database is unavailable.", EventName = "TableNotChecked")]
    public static partial void TableNotChecked(ILogger logger, Exception exception);

    [LoggerMessage(104, LogLevel.Error, "A handler's changes to its DbContext could not be discarded after its transaction was rolled back. The context may still be in use by work that was not awaited.", EventName = "ChangesNotDiscarded")]
    public static partial void ChangesNotDiscarded(ILogger logger, Exception exception);
}
