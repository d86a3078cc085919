using System.Data.Common;

namespace Idempotency.AspNetCore;

/// <summary>Classifies database errors, above all conflicts, because of which the database rolled back a transaction.</summary>
internal static class DatabaseConflict
{
    /// <summary>Whether an exception, or one that caused it, is a conflict.</summary>
    public static bool Is(Exception? exception) => Any(exception, IsConflict);

    /// <summary>Whether an exception, or one that caused it, comes from the database.</summary>
    public static bool IsOfDatabase(Exception? exception) => Any(exception, static _ => true);

    /// <summary>Whether an exception, or one that caused it, means that the table, a column or the database does not exist.</summary>
    public static bool IsMissingTable(Exception? exception) => Any(exception, IsMissing);

    /// <summary>Whether it means that a write violates a constraint.</summary>
    public static bool IsConstraint(DbException failure) =>
        failure.SqlState?.StartsWith("23", StringComparison.Ordinal) == true || DriverErrorCode.Sqlite.Of(failure) == 19;

    // PostgreSQL tells by SQLSTATE, which the base class has. The others' codes are only on their own types.
    private static bool IsConflict(DbException failure) => failure.SqlState is "40001" or "40P01"
        // BUSY and LOCKED, with all their extended forms.
        || DriverErrorCode.Sqlite.Of(failure) is 5 or 6
        // A wait for a lock that took too long, a deadlock's victim, and a row that has changed since the transaction's snapshot was taken.
        || DriverErrorCode.MySql.Of(failure) is 1205 or 1213 or 1020
        // A deadlock's victim; update conflicts of snapshots and of tables in memory.
        || DriverErrorCode.SqlServer.Of(failure) is 1205 or 3960 or 41301 or 41302 or 41305 or 41325;

    private static bool Any(Exception? exception, Func<DbException, bool> matches)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is DbException failure && matches(failure))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsMissing(DbException failure) => failure.SqlState is "42P01" or "42703" or "3F000" or "3D000"
        || (DriverErrorCode.Sqlite.Of(failure) is 1 && failure.Message.Contains("no such ", StringComparison.Ordinal))
        || DriverErrorCode.MySql.Of(failure) is 1146 or 1054 or 1049
        || DriverErrorCode.SqlServer.Of(failure) is 208 or 207 or 4060;

    /// <summary>Whether it says that a savepoint is not there.</summary>
    public static bool IsMissingSavepoint(DbException failure) => DriverErrorCode.MySql.Of(failure) == 1305;
}
