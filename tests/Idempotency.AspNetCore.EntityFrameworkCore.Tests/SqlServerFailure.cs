using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Data.SqlClient;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>What SQL Server's client throws, without a server.</summary>
internal static class SqlServerFailure
{
    private const BindingFlags Own = BindingFlags.NonPublic | BindingFlags.Instance;

    /// <summary>The client's constructors are its own: an exception without them, and an error with a number.</summary>
    public static Exception Of(int number)
    {
        var error = RuntimeHelpers.GetUninitializedObject(typeof(SqlError));
        typeof(SqlError).GetFields(Own).Single(field => field.Name.Contains("Number", StringComparison.OrdinalIgnoreCase) && field.FieldType == typeof(int) && !field.Name.Contains("Line", StringComparison.OrdinalIgnoreCase)).SetValue(error, number);
        var errors = (SqlErrorCollection)Activator.CreateInstance(typeof(SqlErrorCollection), nonPublic: true)!;
        typeof(SqlErrorCollection).GetMethod("Add", Own)!.Invoke(errors, [error]);
        return (Exception)typeof(SqlException).GetMethods(BindingFlags.NonPublic | BindingFlags.Static)
            .Single(method => method.Name == "CreateException" && method.GetParameters() is [{ ParameterType: var first }, { ParameterType: var second }] && first == typeof(SqlErrorCollection) && second == typeof(string))
            .Invoke(null, [errors, "16.0"])!;
    }
}
