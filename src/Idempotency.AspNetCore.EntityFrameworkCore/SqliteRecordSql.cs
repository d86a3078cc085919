namespace Idempotency.AspNetCore;

/// <summary>The statements for SQLite, 3.24 or later.</summary>
/// <remarks>
/// <c>julianday</c> is exact to the millisecond when rounded, in every version. No <c>RETURNING</c>: a statement with it commits when its reader is closed, where
/// a failure is not reported.
/// </remarks>
internal sealed class SqliteRecordSql(RecordsTable table) : RecordSql(table, "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)")
{
    public override bool HasOneWriter => true;

    public override string Claim => Upsert;

    public override string Supersede => $"UPDATE {Table} SET {TakenOver} WHERE {Superseding}";

    public override string Abandoned => $"SELECT {AbandonedColumns} FROM {Table} WHERE {AbandonedAfter} LIMIT @limit";

    public override string RemoveExpired => $"DELETE FROM {Table} WHERE {Key} IN (SELECT {Key} FROM {Table} WHERE {GoneAt} <= {Now} ORDER BY {GoneAt} LIMIT @limit)";
}
