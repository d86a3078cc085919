using Idempotency.AspNetCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Adds the idempotency records table to an application's model.</summary>
public static class IdempotencyModelBuilderExtensions
{
    /// <summary>
    /// Maps the idempotency records table. Call it in <c>OnModelCreating</c>. Migrations and <c>EnsureCreated</c> then create it like any other table.
    /// </summary>
    /// <param name="modelBuilder">The model.</param>
    /// <param name="configure">Configures names. Default: the table <c>IdempotencyRecords</c> in the model's default schema, with columns named by the model's conventions.</param>
    public static ModelBuilder AddIdempotencyRecords(this ModelBuilder modelBuilder, Action<IdempotencyRecordsTableOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        var names = new IdempotencyRecordsTableOptions();
        configure?.Invoke(names);
        // Not a class: only the store uses it, and a compiled model or a migration would have to name it.
        modelBuilder.SharedTypeEntity<Dictionary<string, object>>(RecordsTable.EntityName, record =>
        {
            var columns = 0;
            Map(record.IndexerProperty<byte[]>(RecordsTable.Key).HasMaxLength(Sha256Hash.Length).IsFixedLength().ValueGeneratedNever(), names.KeyColumn);
            Map(record.IndexerProperty<short>(RecordsTable.Status), names.StatusColumn);
            Map(record.IndexerProperty<Guid>(RecordsTable.Owner), names.OwnerColumn);
            Map(record.IndexerProperty<int>(RecordsTable.Attempt), names.AttemptColumn);
            Map(record.IndexerProperty<byte[]>(RecordsTable.Fingerprint).HasMaxLength(Sha256Hash.Length).IsFixedLength().IsRequired(), names.FingerprintColumn);
            Map(record.IndexerProperty<long>(RecordsTable.LeaseUntil), names.LeaseUntilColumn);
            Map(record.IndexerProperty<long>(RecordsTable.GoneAt), names.GoneAtColumn);
            Map(record.IndexerProperty<byte[]>(RecordsTable.Payload).IsRequired(false), names.PayloadColumn);
            Map(record.IndexerProperty<int?>(RecordsTable.StepsVersion), names.StepsVersionColumn);
            record.HasKey(RecordsTable.Key);
            record.HasIndex(RecordsTable.GoneAt); // used to find expired records
            if (names.Table is not null || names.Schema is not null)
            {
                record.ToTable(names.Table ?? RecordsTable.EntityName, names.Schema);
            }

            void Map(PropertyBuilder property, string? column)
            {
                property.HasColumnOrder(columns++); // otherwise they are sorted alphabetically
                if (column is not null)
                {
                    property.HasColumnName(column);
                }
            }
        });
        return modelBuilder;
    }
}
