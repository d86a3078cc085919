using System.Data;
using System.Data.Common;
using System.Runtime.InteropServices;

namespace Idempotency.AspNetCore;

/// <summary>The format of a record in the database: the parameters of commands, and reading a row. <see cref="RecordsTable"/> has the columns, and <see cref="RecordSql"/> the statements.</summary>
internal static class EntityFrameworkCoreRecord
{
    public static DbCommand Create(DbConnection connection, string text, int timeout, DbTransaction? transaction = null)
    {
        var command = connection.CreateCommand();
        command.CommandText = text;
        command.CommandTimeout = timeout;
        command.Transaction = transaction;
        return command;
    }

    public static void AddKey(DbCommand command, StoreKey key) => Add(command, "@key", DbType.Binary, BytesOf(key.Hash), Sha256Hash.Length);

    public static void AddOwner(DbCommand command, StoreKey key, Guid owner)
    {
        AddKey(command, key);
        Add(command, "@owner", DbType.Guid, owner);
    }

    public static void AddClaim(DbCommand command, StoreKey key, IdempotencyClaim claim)
    {
        AddOwner(command, key, claim.Owner);
        Add(command, "@attempt", DbType.Int32, claim.Attempt);
        Add(command, "@fingerprint", DbType.Binary, BytesOf(claim.Fingerprint.Hash), Sha256Hash.Length);
        AddLease(command, claim.Lease, claim.Retention);
        if (claim.Supersedes is { } superseded)
        {
            Add(command, "@superseded", DbType.Guid, superseded);
        }
    }

    public static void AddRenewal(DbCommand command, StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention)
    {
        AddOwner(command, key, owner);
        AddLease(command, lease, retention);
    }

    public static void AddSteps(DbCommand command, RecordSql sql, StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention)
    {
        AddRenewal(command, key, owner, lease, retention);
        Add(command, "@status", DbType.Int16, steps.EffectsStarted ? RecordSql.EffectsStarted : RecordSql.InProgress);
        Add(command, "@version", DbType.Int32, steps.Version);
        AddPayload(command, sql, steps.Data);
    }

    public static void AddRelease(DbCommand command, StoreKey key, Guid owner)
    {
        AddOwner(command, key, owner);
        Add(command, "@nobody", DbType.Guid, Guid.Empty);
    }

    public static void AddCompletion(DbCommand command, RecordSql sql, StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention)
    {
        AddOwner(command, key, owner);
        Add(command, "@gone", DbType.Int64, Milliseconds(retention));
        AddPayload(command, sql, payload);
    }

    public static void AddPage(DbCommand command, byte[] after, int limit)
    {
        Add(command, "@after", DbType.Binary, after, Sha256Hash.Length);
        AddLimit(command, limit);
    }

    public static void AddLimit(DbCommand command, int limit) => Add(command, "@limit", DbType.Int32, limit);

    public static byte[] BytesOf(Sha256Hash hash)
    {
        var bytes = new byte[Sha256Hash.Length];
        hash.CopyTo(bytes);
        return bytes;
    }

    /// <summary>Reads the record at the current row of a reader, as read by <see cref="RecordSql.Read"/>.</summary>
    /// <exception cref="IdempotencyRecordUnreadableException">The row is not valid.</exception>
    public static IdempotencyRecord Parse(DbDataReader row)
    {
        try
        {
            var status = row.GetInt16(0);
            if (status is RecordSql.InProgress or RecordSql.EffectsStarted or RecordSql.Completed)
            {
                var isCompleted = status == RecordSql.Completed;
                return new IdempotencyRecord
                {
                    Status = isCompleted ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
                    Owner = row.GetGuid(1),
                    Attempt = row.GetInt32(2),
                    Fingerprint = new Fingerprint(Sha256Hash.FromBytes(row.GetFieldValue<byte[]>(3))),
                    LeaseRemaining = isCompleted ? TimeSpan.Zero : Time(row.GetInt64(4)),
                    RetentionRemaining = Time(row.GetInt64(5)),
                    Payload = isCompleted ? row.GetFieldValue<byte[]>(6) : StepsAt(row, 6),
                    EffectsStarted = status == RecordSql.EffectsStarted,
                };
            }
        }
        catch (Exception malformed) when (malformed is InvalidCastException or FormatException or OverflowException or ArgumentException or InvalidOperationException)
        {
            throw new IdempotencyRecordUnreadableException("The row of the idempotency record has missing or malformed columns.", malformed);
        }

        throw new IdempotencyRecordUnreadableException("The row of the idempotency record has a status that this version does not know.");
    }

    /// <summary>The steps in a column of a claim; empty if it has none.</summary>
    public static ReadOnlyMemory<byte> StepsAt(DbDataReader row, int column) => row.IsDBNull(column) ? default : row.GetFieldValue<byte[]>(column);

    public static TimeSpan Time(long milliseconds) =>
        new(Math.Clamp(milliseconds, TimeSpan.MinValue.Ticks / TimeSpan.TicksPerMillisecond, TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerMillisecond) * TimeSpan.TicksPerMillisecond);

    private static void AddLease(DbCommand command, TimeSpan lease, TimeSpan retention)
    {
        Add(command, "@lease", DbType.Int64, Milliseconds(lease));
        Add(command, "@gone", DbType.Int64, Milliseconds(lease) + Milliseconds(retention));
    }

    // A payload never changes, so a whole array is sent without copying.
    private static void AddPayload(DbCommand command, RecordSql sql, ReadOnlyMemory<byte> payload) => Add(
        command,
        "@payload",
        DbType.Binary,
        MemoryMarshal.TryGetArray(payload, out var segment) && segment.Array is { } array && array.Length == payload.Length ? array : payload.ToArray(),
        sql.PayloadSize);

    private static long Milliseconds(TimeSpan time) => (long)Math.Ceiling(time.TotalMilliseconds);

    private static void Add(DbCommand command, string name, DbType type, object value, int? size = null)
    {
        var parameter = command.CreateParameter();
        parameter.ParameterName = name;
        parameter.DbType = type;
        parameter.Value = value;
        if (size is { } declared)
        {
            parameter.Size = declared;
        }

        command.Parameters.Add(parameter);
    }
}
