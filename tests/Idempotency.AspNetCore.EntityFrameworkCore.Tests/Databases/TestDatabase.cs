using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>A database of a test class's own, and applications that use it.</summary>
public abstract class TestDatabase : IAsyncLifetime
{
    private readonly List<ServiceProvider> _applications = [];
    private ServiceProvider? _application;

    /// <summary>An application with the defaults.</summary>
    public ServiceProvider Application => _application ??= NewApplication();

    public EntityFrameworkCoreIdempotencyStore<Shop> Store => StoreOf(Application);

    /// <summary>Whether others can write while a transaction is open.</summary>
    public abstract bool TakesOtherWriters { get; }

    public static EntityFrameworkCoreIdempotencyStore<Shop> StoreOf(IServiceProvider application) =>
        (EntityFrameworkCoreIdempotencyStore<Shop>)application.GetRequiredService<IIdempotencyStore>();

    /// <summary>A query for the database's own time, in milliseconds since 1970.</summary>
    public abstract string Now { get; }

    /// <summary>The provider, with its defaults.</summary>
    public abstract void Use(DbContextOptionsBuilder options);

    /// <summary>SQL with names in double quotes, as this engine has them.</summary>
    public virtual string Sql(string standard) => standard;

    /// <summary>Gives a table another name.</summary>
    public virtual Task RenameTableAsync(string table, string name) => ExecuteAsync($"ALTER TABLE \"{table}\" RENAME TO \"{name}\"");

    /// <summary>Another server on the same database; it ends with the test class.</summary>
    public ServiceProvider NewApplication(Action<EntityFrameworkCoreIdempotencyStoreOptions>? configure = null, Action<IServiceCollection>? register = null)
    {
        var services = new ServiceCollection();
        (register ?? (registered => registered.AddDbContext<Shop>(Use)))(services);
        services.AddIdempotency().AddEntityFrameworkCoreStore<Shop>(configure);
        var application = services.BuildServiceProvider(validateScopes: true);
        _applications.Add(application);
        return application;
    }

    /// <summary>Lets time pass for every record: what is to come is that much nearer.</summary>
    public Task PassAsync(TimeSpan time) =>
        ExecuteAsync($"UPDATE \"IdempotencyRecords\" SET \"LeaseUntil\" = \"LeaseUntil\" - {(long)time.TotalMilliseconds}, \"GoneAt\" = \"GoneAt\" - {(long)time.TotalMilliseconds}");

    /// <summary>Empties the table of records: for a test that counts its rows, whatever the class's other tests left there.</summary>
    public Task RemoveAllRecordsAsync() => ExecuteAsync("DELETE FROM \"IdempotencyRecords\"");

    public async Task ExecuteAsync(string sql)
    {
        await using var scope = Application.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<Shop>().Database.ExecuteSqlRawAsync(Sql(sql));
    }

    public async Task<long> CountAsync(string sql)
    {
        await using var scope = Application.CreateAsyncScope();
        var database = scope.ServiceProvider.GetRequiredService<Shop>().Database;
        await database.OpenConnectionAsync();
        await using var command = database.GetDbConnection().CreateCommand();
        command.CommandText = Sql(sql);
        return Convert.ToInt64(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }

    public async Task<bool> HasOrderAsync(Order order)
    {
        await using var scope = Application.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<Shop>().Orders.AnyAsync(one => one.Id == order.Id);
    }

    public async ValueTask InitializeAsync()
    {
        await CreateAsync();
        await using var scope = Application.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<Shop>().Database.EnsureCreatedAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var application in _applications)
        {
            await application.DisposeAsync();
        }

        await DeleteAsync();
        GC.SuppressFinalize(this);
    }

    protected abstract Task CreateAsync();

    protected abstract Task DeleteAsync();
}

/// <summary>A file, with a write-ahead log.</summary>
public sealed class SqliteDatabase : TestDatabase
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"idempotency-{Guid.NewGuid():N}.db");

    public override bool TakesOtherWriters => false;

    public override string Now => "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)";

    public string ConnectionString => $"Data Source={_file}";

    public override void Use(DbContextOptionsBuilder options) => options.UseSqlite(ConnectionString);

    protected override Task CreateAsync() => ExecuteAsync("PRAGMA journal_mode = WAL");

    protected override Task DeleteAsync()
    {
        using (var connection = new SqliteConnection(ConnectionString))
        {
            SqliteConnection.ClearPool(connection);
        }

        foreach (var file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*"))
        {
            File.Delete(file);
        }

        return Task.CompletedTask;
    }
}
