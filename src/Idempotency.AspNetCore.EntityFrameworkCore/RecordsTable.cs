using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace Idempotency.AspNetCore;

/// <summary>The table of records, with names as quoted in SQL.</summary>
internal sealed class RecordsTable
{
    public const string EntityName = "IdempotencyRecords";
    public const string Key = nameof(Key);
    public const string Status = nameof(Status);
    public const string Owner = nameof(Owner);
    public const string Attempt = nameof(Attempt);
    public const string Fingerprint = nameof(Fingerprint);
    public const string LeaseUntil = nameof(LeaseUntil);
    public const string GoneAt = nameof(GoneAt);
    public const string Payload = nameof(Payload);
    public const string StepsVersion = nameof(StepsVersion);

    private readonly Func<string, string> _columnOf;

    public RecordsTable(string name, Func<string, string> columnOf)
    {
        Name = name;
        _columnOf = columnOf;
    }

    /// <summary>The name of the table, with its schema if it has one.</summary>
    public string Name { get; }

    /// <summary>The name of the column of a property.</summary>
    public string this[string property] => _columnOf(property);

    /// <summary>Reads the names from a context's model.</summary>
    /// <exception cref="InvalidOperationException">The model has no such table, or one that the store cannot write.</exception>
    public static RecordsTable Of(DbContext context)
    {
        var name = context.GetType().Name;
        var entity = context.Model.FindEntityType(EntityName)
            ?? throw new InvalidOperationException($"The model of '{name}' has no idempotency records. Call modelBuilder.AddIdempotencyRecords() in OnModelCreating, and add a migration.");
        var table = StoreObjectIdentifier.Create(entity, StoreObjectType.Table)
            ?? throw new InvalidOperationException($"The idempotency records of '{name}' are not mapped to a table. Specify one with modelBuilder.AddIdempotencyRecords(names => names.Table = ...).");
        foreach (var property in entity.GetProperties())
        {
            // The store's commands bypass EF's conversions, so there must be none.
            if (property.FindTypeMapping() is { Converter: not null })
            {
                throw new InvalidOperationException($"The column '{property.Name}' of the idempotency records of '{name}' has a value converter, which the store does not support. Exclude the entity '{EntityName}' from the convention that adds it.");
            }
        }

        var sql = context.GetService<ISqlGenerationHelper>();
        return new RecordsTable(sql.DelimitIdentifier(table.Name, table.Schema), property => sql.DelimitIdentifier(entity.GetProperty(property).GetColumnName(table)!));
    }
}
