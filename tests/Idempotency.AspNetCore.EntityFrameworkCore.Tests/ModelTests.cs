using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>The table in an application's model: what migrations see, and names of the application's own.</summary>
public sealed class ModelTests(PostgreSqlDatabase postgres, MariaDbDatabase mariaDb) : IClassFixture<PostgreSqlDatabase>, IClassFixture<MariaDbDatabase>
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    /// <summary>A context with nothing but records, under names that need quoting.</summary>
    private sealed class Renamed(DbContextOptions<Renamed> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddIdempotencyRecords(names =>
        {
            names.Table = "seen requests";
            names.Schema = Database.IsNpgsql() ? "bookkeeping" : null;
            names.KeyColumn = "select";
            names.StatusColumn = "état";
            names.OwnerColumn = "Owner \"of\" it";
            names.AttemptColumn = "attempt_no";
            names.FingerprintColumn = "request-hash";
            names.LeaseUntilColumn = "lease";
            names.GoneAtColumn = "order";
            names.PayloadColumn = "from";
            names.StepsVersionColumn = "steps so far";
        });
    }

    private sealed class InSchema(DbContextOptions<InSchema> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddIdempotencyRecords().HasDefaultSchema("app");
    }

    [Fact]
    public void The_script_for_PostgreSQL_is_what_the_README_says() => Assert.Equal(
        """
        CREATE TABLE "IdempotencyRecords" (
            "Key" bytea NOT NULL,
            "Status" smallint NOT NULL,
            "Owner" uuid NOT NULL,
            "Attempt" integer NOT NULL,
            "Fingerprint" bytea NOT NULL,
            "LeaseUntil" bigint NOT NULL,
            "GoneAt" bigint NOT NULL,
            "Payload" bytea,
            "StepsVersion" integer,
            CONSTRAINT "PK_IdempotencyRecords" PRIMARY KEY ("Key")
        );


        CREATE INDEX "IX_IdempotencyRecords_GoneAt" ON "IdempotencyRecords" ("GoneAt");
        """,
        ScriptOf(options => options.UseNpgsql("Host=nowhere")));

    [Fact]
    public void The_script_for_SQLite_is_what_the_README_says() => Assert.Equal(
        """
        CREATE TABLE "IdempotencyRecords" (
            "Key" BLOB NOT NULL CONSTRAINT "PK_IdempotencyRecords" PRIMARY KEY,
            "Status" INTEGER NOT NULL,
            "Owner" TEXT NOT NULL,
            "Attempt" INTEGER NOT NULL,
            "Fingerprint" BLOB NOT NULL,
            "LeaseUntil" INTEGER NOT NULL,
            "GoneAt" INTEGER NOT NULL,
            "Payload" BLOB NULL,
            "StepsVersion" INTEGER NULL
        );


        CREATE INDEX "IX_IdempotencyRecords_GoneAt" ON "IdempotencyRecords" ("GoneAt");
        """,
        ScriptOf(options => options.UseSqlite("Data Source=nowhere")));

    [Fact]
    public void The_script_for_SQL_Server_is_what_the_README_says() => Assert.Equal(
        """
        CREATE TABLE [IdempotencyRecords] (
            [Key] binary(32) NOT NULL,
            [Status] smallint NOT NULL,
            [Owner] uniqueidentifier NOT NULL,
            [Attempt] int NOT NULL,
            [Fingerprint] binary(32) NOT NULL,
            [LeaseUntil] bigint NOT NULL,
            [GoneAt] bigint NOT NULL,
            [Payload] varbinary(max) NULL,
            [StepsVersion] int NULL,
            CONSTRAINT [PK_IdempotencyRecords] PRIMARY KEY ([Key])
        );
        GO


        CREATE INDEX [IX_IdempotencyRecords_GoneAt] ON [IdempotencyRecords] ([GoneAt]);
        GO
        """,
        ScriptOf(options => options.UseSqlServer("Server=nowhere")));

    [Fact]
    public void The_script_for_MariaDB_is_what_the_README_says() => Assert.Equal(
        """
        CREATE TABLE `IdempotencyRecords` (
            `Key` binary(32) NOT NULL,
            `Status` smallint NOT NULL,
            `Owner` char(36) NOT NULL,
            `Attempt` int NOT NULL,
            `Fingerprint` binary(32) NOT NULL,
            `LeaseUntil` bigint NOT NULL,
            `GoneAt` bigint NOT NULL,
            `Payload` longblob NULL,
            `StepsVersion` int NULL,
            PRIMARY KEY (`Key`)
        );


        CREATE INDEX `IX_IdempotencyRecords_GoneAt` ON `IdempotencyRecords` (`GoneAt`);
        """,
        ScriptOf(options => options.UseMySQL("Server=nowhere")));

    [Fact]
    public async Task Names_of_the_applications_own_hold_for_every_operation_on_MariaDB()
    {
        await using var context = new Renamed(new DbContextOptionsBuilder<Renamed>().UseMySQL(mariaDb.ConnectionString).Options);
        await context.GetService<Microsoft.EntityFrameworkCore.Storage.IRelationalDatabaseCreator>().CreateTablesAsync();
        await EveryOperationWorksAsync(options => options.UseMySQL(mariaDb.ConnectionString));
    }

    [Fact]
    public void A_migration_that_adds_them_makes_the_table_and_its_index_and_the_next_makes_nothing()
    {
        using var context = new Shop(new DbContextOptionsBuilder().UseNpgsql("Host=nowhere").Options);
        var differ = context.GetService<IMigrationsModelDiffer>();
        var model = context.GetService<IDesignTimeModel>().Model.GetRelationalModel();
        var first = differ.GetDifferences(null, model).Where(operation => operation is not CreateTableOperation { Name: "Orders" } and not CreateIndexOperation { Table: "Orders" }).ToList();
        Assert.Collection(
            first,
            table => Assert.Equal(RecordsTable.EntityName, Assert.IsType<CreateTableOperation>(table).Name),
            index => Assert.Equal(["GoneAt"], Assert.IsType<CreateIndexOperation>(index).Columns));
        Assert.Empty(differ.GetDifferences(model, model));
    }

    [Fact]
    public async Task Names_of_the_applications_own_hold_for_every_operation_on_PostgreSQL()
    {
        await using var context = new Renamed(new DbContextOptionsBuilder<Renamed>().UseNpgsql(postgres.ConnectionString).Options);
        await context.GetService<Microsoft.EntityFrameworkCore.Storage.IRelationalDatabaseCreator>().CreateTablesAsync();
        await EveryOperationWorksAsync(options => options.UseNpgsql(postgres.ConnectionString));
        Assert.Equal(1, await postgres.CountAsync("SELECT COUNT(*) FROM bookkeeping.\"seen requests\""));
    }

    [Fact]
    public async Task Names_of_the_applications_own_hold_for_every_operation_on_SQLite()
    {
        var connectionString = $"Data Source={Guid.NewGuid():N};Mode=Memory;Cache=Shared";
        await using var kept = new Microsoft.Data.Sqlite.SqliteConnection(connectionString);
        await kept.OpenAsync();
        await using var context = new Renamed(new DbContextOptionsBuilder<Renamed>().UseSqlite(connectionString).Options);
        await context.Database.EnsureCreatedAsync();
        await EveryOperationWorksAsync(options => options.UseSqlite(connectionString));
    }

    [Fact]
    public void The_models_schema_is_the_records_too()
    {
        using var context = new InSchema(new DbContextOptionsBuilder<InSchema>().UseNpgsql("Host=nowhere").Options);
        Assert.Equal("app.\"IdempotencyRecords\"", RecordsTable.Of(context).Name);
    }

    private static string ScriptOf(Action<DbContextOptionsBuilder> use)
    {
        var options = new DbContextOptionsBuilder<OnlyRecords>();
        use(options);
        using var context = new OnlyRecords(options.Options);
        return context.Database.GenerateCreateScript().ReplaceLineEndings("\n").Trim();
    }

    private static async Task EveryOperationWorksAsync(Action<DbContextOptionsBuilder> use)
    {
        var services = new ServiceCollection();
        services.AddDbContext<Renamed>(use);
        services.AddIdempotency().AddEntityFrameworkCoreStore<Renamed>();
        await using var application = services.BuildServiceProvider();
        var store = (EntityFrameworkCoreIdempotencyStore<Renamed>)application.GetRequiredService<IIdempotencyStore>();
        var (key, claim) = (StoreTests.NewKey(), StoreTests.NewClaim() with { Lease = TimeSpan.Zero });
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
        var listed = 0;
        await foreach (var abandoned in store.ListAbandonedAsync(default))
        {
            Assert.Equal(key, abandoned.StoreKey);
            listed++;
        }

        Assert.Equal(1, listed);
        var successor = StoreTests.NewClaim(supersedes: claim.Owner);
        Assert.True((await store.ClaimAsync(key, successor, default)).IsAcquired);
        Assert.True(await store.SaveStepsAsync(key, successor.Owner, StoreTests.Steps(1, 5), Hour, Hour, default));
        Assert.True(await store.ReleaseAsync(key, successor.Owner, default));
        successor = StoreTests.NewClaim(supersedes: Guid.Empty) with { Attempt = 3 };
        Assert.Equal([5], (await store.ClaimAsync(key, successor, default)).Steps.ToArray());
        Assert.True(await store.RenewAsync(key, successor.Owner, Hour, Hour, default));
        Assert.True(await store.MarkEffectsStartedAsync(key, successor.Owner, Hour, Hour, default));
        Assert.True((await store.ReadAsync(key, default))!.EffectsStarted);
        await using (var scope = application.CreateAsyncScope())
        {
            await using var transaction = await store.BeginTransactionAsync(scope.ServiceProvider, default);
            Assert.True(await transaction.CompleteAsync(key, successor.Owner, new byte[] { 1 }, Hour, default));
        }

        Assert.Equal([1], (await store.ClaimAsync(key, StoreTests.NewClaim(), default)).Existing!.Payload.ToArray());
        Assert.True(await store.DeleteAsync(key, default));
        var released = StoreTests.NewClaim();
        Assert.True((await store.ClaimAsync(key, released, default)).IsAcquired);
        Assert.True(await store.ReleaseAsync(key, released.Owner, default));
        Assert.True((await store.ClaimAsync(key, claim with { Retention = TimeSpan.Zero }, default)).IsAcquired);
        Assert.Equal(1, await store.RemoveExpiredAsync(default));
        Assert.True((await store.ClaimAsync(key, claim, default)).IsAcquired);
    }

    private sealed class OnlyRecords(DbContextOptions<OnlyRecords> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddIdempotencyRecords();
    }
}
