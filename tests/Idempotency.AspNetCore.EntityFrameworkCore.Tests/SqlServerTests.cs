#if USE_TESTCONTAINERS

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
    private protected override Exception Conflict() => SqlServerFailure.Of(1205);
}
#endif
