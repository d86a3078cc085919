using System.Data.Common;
using System.Reflection;

namespace Idempotency.AspNetCore;

/// <summary>The error code that a database driver has on its own exception type, which this package does not reference.</summary>
/// <remarks>The types and properties are named by literals, because the trimmer understands those and keeps what they name. A driver that the application does not have is no error.</remarks>
internal sealed class DriverErrorCode(params PropertyInfo?[] codes)
{
    public static DriverErrorCode Sqlite { get; } = new(Type.GetType("Microsoft.Data.Sqlite.SqliteException, Microsoft.Data.Sqlite")?.GetProperty("SqliteErrorCode"));

    public static DriverErrorCode MySql { get; } = new(
        Type.GetType("MySql.Data.MySqlClient.MySqlException, MySql.Data")?.GetProperty("Number"),
        Type.GetType("MySqlConnector.MySqlException, MySqlConnector")?.GetProperty("Number"));

    public static DriverErrorCode SqlServer { get; } = new(Type.GetType("Microsoft.Data.SqlClient.SqlException, Microsoft.Data.SqlClient")?.GetProperty("Number"));

    /// <summary>The code; null when the exception is not one of this driver.</summary>
    public int? Of(DbException failure)
    {
        foreach (var code in codes)
        {
            if (code?.ReflectedType?.IsInstanceOfType(failure) == true)
            {
                return code.GetValue(failure) as int?;
            }
        }

        return null;
    }
}
