#if USE_TESTCONTAINERS
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Data.SqlClient;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

// The classes of PostgreSQL, on SQL Server in a container: dotnet test -p:UseTestcontainers=true. The default suite does not run them.

public sealed class SqlServerConformanceTests(SqlServerDatabase database) : ListingConformanceTests, IClassFixture<SqlServerDatabase>
{
    protected override TimeSpan Brief => TimeSpan.FromMinutes(1);

    protected override IIdempotencyStore Store => database.Store;

    protected override Task PassAsync(TimeSpan time) => database.PassAsync(time);
}

public sealed class SqlServerStoreTests(SqlServerDatabase database) : StoreTests(database), IClassFixture<SqlServerDatabase>;

public sealed class SqlServerTransactionTests(SqlServerDatabase database) : TransactionTests(database), IClassFixture<SqlServerDatabase>;

public sealed class SqlServerTests(SqlServerDatabase database) : ServerTests(database), IClassFixture<SqlServerDatabase>;

public sealed class SqlServerSameTransactionTests(SqlServerDatabase database) : ServerSameTransactionTests(database), IClassFixture<SqlServerDatabase>
{
    // The client's constructors are its own: an exception without them, and an error whose number is that of a deadlock's victim.
    private protected override Exception Conflict()
    {
        const BindingFlags Own = BindingFlags.NonPublic | BindingFlags.Instance;
        var error = RuntimeHelpers.GetUninitializedObject(typeof(SqlError));
        typeof(SqlError).GetFields(Own).Single(field => field.Name.Contains("Number", StringComparison.OrdinalIgnoreCase) && field.FieldType == typeof(int) && !field.Name.Contains("Line", StringComparison.Ordinal)).SetValue(error, 1205);
        var errors = (SqlErrorCollection)Activator.CreateInstance(typeof(SqlErrorCollection), nonPublic: true)!;
        typeof(SqlErrorCollection).GetMethod("Add", Own)!.Invoke(errors, [error]);
        return (Exception)typeof(SqlException).GetMethods(BindingFlags.NonPublic | BindingFlags.Static)
            .Single(method => method.Name == "CreateException" && method.GetParameters() is [{ ParameterType: var first }, { ParameterType: var second }] && first == typeof(SqlErrorCollection) && second == typeof(string))
            .Invoke(null, [errors, "16.0"])!;
    }
}
#endif
