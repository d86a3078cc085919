namespace Idempotency.AspNetCore;

/// <summary>The statements for PostgreSQL (15 is tested).</summary>
/// <remarks>
/// <c>clock_timestamp()</c>, because <c>now()</c> is the start of the transaction: the retention of a response would count from before its handler ran. Where
/// rows are found by time, the clock is a subquery, because an index is not used for an expression that changes from row to row.
/// </remarks>
internal sealed class PostgreSqlRecordSql(RecordsTable table) : RecordSql(table, Clock)
{
    private const string Clock = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

    // Two statements in one command are one round trip and one transaction. The second sees everything that was committed before it started.
    public override string Claim => $"{Upsert} RETURNING 1; {Read}";

    public override string Supersede => $"UPDATE {Table} SET {TakenOver} WHERE {Superseding} RETURNING {Payload}; {Read}";

    public override string Abandoned => $"SELECT {AbandonedColumns} FROM {Table} WHERE {AbandonedAfter} LIMIT @limit";

    // ARRAY(...) is computed once; the planner may run a plain subquery for every row, including its limit.
    public override string RemoveExpired =>
        $"DELETE FROM {Table} WHERE {Key} = ANY(ARRAY(SELECT {Key} FROM {Table} WHERE {GoneAt} <= (SELECT {Now}) ORDER BY {GoneAt} LIMIT @limit FOR UPDATE SKIP LOCKED))";
}
