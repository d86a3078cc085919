namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>The conformance tests on SQLite.</summary>
public sealed class SqliteConformanceTests(SqliteDatabase database) : ListingConformanceTests, IClassFixture<SqliteDatabase>
{
    // Hundreds of writes wait for one writer, each for those before it.
    private readonly IIdempotencyStore _store = TestDatabase.StoreOf(database.NewApplication(options => options.CommandTimeout = TimeSpan.FromMinutes(2)));

    // Time passes by moving the records' moments.
    protected override TimeSpan Brief => TimeSpan.FromMinutes(1);

    protected override IIdempotencyStore Store => _store;

    protected override Task PassAsync(TimeSpan time) => database.PassAsync(time);
}

/// <summary>The conformance tests on PostgreSQL.</summary>
public sealed class PostgreSqlConformanceTests(PostgreSqlDatabase database) : ListingConformanceTests, IClassFixture<PostgreSqlDatabase>
{
    protected override TimeSpan Brief => TimeSpan.FromMinutes(1);

    protected override IIdempotencyStore Store => database.Store;

    protected override Task PassAsync(TimeSpan time) => database.PassAsync(time);
}

/// <summary>The conformance tests on MariaDB.</summary>
public sealed class MariaDbConformanceTests(MariaDbDatabase database) : ListingConformanceTests, IClassFixture<MariaDbDatabase>
{
    protected override TimeSpan Brief => TimeSpan.FromMinutes(1);

    protected override IIdempotencyStore Store => database.Store;

    protected override Task PassAsync(TimeSpan time) => database.PassAsync(time);
}
