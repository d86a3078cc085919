using System.Data.Common;

namespace Idempotency.AspNetCore;

/// <summary>What failures of a database say: above all, that it has undone a transaction in favour of another.</summary>
internal static class DatabaseConflict
{
    /// <summary>Whether an exception, or what caused it, is one.</summary>
    public static bool Is(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is DbException failure && IsConflict(failure))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether it says that what was written is against a constraint.</summary>
    public static bool IsConstraint(DbException failure) =>
        failure.SqlState?.StartsWith("23", StringComparison.Ordinal) == true || (failure.GetType().Name == "SqliteException" && CodeOf(failure, "SqliteErrorCode") == 19);

    // PostgreSQL tells by SQLSTATE, which the base class has. The others' codes are only on their own types, which this package does not reference.
    private static bool IsConflict(DbException failure) => failure.SqlState is "40001" or "40P01" || failure.GetType().Name switch
    {
        // BUSY and LOCKED, with all their extended forms.
        "SqliteException" => CodeOf(failure, "SqliteErrorCode") is 5 or 6,
        // A deadlock's victim; update conflicts of snapshots and of tables in memory.
        "SqlException" => CodeOf(failure, "Number") is 1205 or 3960 or 41301 or 41302 or 41305 or 41325,
        _ => false,
    };

    private static int CodeOf(DbException failure, string property) => failure.GetType().GetProperty(property)?.GetValue(failure) as int? ?? 0;
}
