namespace Idempotency.AspNetCore;

/// <summary>The statements for InnoDB tables: MariaDB 10.6 or later, MySQL 8.0.1 or later.</summary>
/// <remarks>
/// <para><c>UTC_TIMESTAMP</c> is the time at which the statement started, whatever the session's time zone. A statement that then waits for a lock grants less time, never more.</para>
/// <para>Commands on the store's own connection use READ COMMITTED, where conditions that match no row lock no gaps, and the read before a claim locks nothing.</para>
/// </remarks>
internal sealed class MySqlRecordSql : RecordSql
{
    private const string ReadCommitted = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "; // for the next transaction only, which is the next statement

    public MySqlRecordSql(RecordsTable table)
        : base(table, "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000")
    {
        // With "Use Affected Rows" in the connection string, a row that does not change is not counted: a second renewal in the same millisecond would look like a lost claim.
        var changed = $"{LeaseUntil} = {Now} + @lease + ({LeaseUntil} = {Now} + @lease)";
        var unchanged = $"{LeaseUntil} = {Now} + @lease,";
        Renew = Renew.Replace(unchanged, changed + ",", StringComparison.Ordinal);
        Mark = Mark.Replace(unchanged, changed + ",", StringComparison.Ordinal);

        // The same for steps that already exist: one millisecond makes the difference.
        SaveSteps = SaveSteps.Replace($"THEN {Now} + @lease ELSE {LeaseUntil} END", $"THEN {Now} + @lease + ({LeaseUntil} = {Now} + @lease) ELSE {LeaseUntil} + 1 - 2 * ({LeaseUntil} % 2) END", StringComparison.Ordinal);
    }

    public override string? SetAnchor => "SAVEPOINT idempotency";

    public override string? ReleaseAnchor => "RELEASE SAVEPOINT idempotency";

    // Assignments see those before them, so the column of the condition comes last. Clients and servers count affected rows differently, so the owner's token shows who has the key.
    public override string Claim =>
        $"""
        {ReadCommitted}
        INSERT INTO {Table} ({ClaimColumns}) SELECT {ClaimValues} FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM {Table} WHERE {Key} = @key AND {GoneAt} > {Now})
        ON DUPLICATE KEY UPDATE {IfGone(Status, $"{InProgress}")}, {IfGone(Owner, "@owner")}, {IfGone(Attempt, "@attempt")}, {IfGone(Fingerprint, "@fingerprint")},
        {IfGone(LeaseUntil, $"{Now} + @lease")}, {IfGone(Payload, "NULL")}, {IfGone(StepsVersion, "NULL")}, {IfGone(GoneAt, $"{Now} + @gone")};
        {OfOwner("1")};
        {Read};
        """;

    public override string Supersede => $"{ReadCommitted}UPDATE {Table} SET {TakenOver} WHERE {Superseding}; {OfOwner(Payload)}; {Read};";

    public override string Abandoned => $"SELECT {AbandonedColumns} FROM {Table} WHERE {AbandonedAfter} LIMIT @limit";

    // STRAIGHT_JOIN: from the few expired records to the rows, not from all rows to the few.
    public override string RemoveExpired =>
        $"{ReadCommitted}DELETE r FROM (SELECT {Key} FROM {Table} WHERE {GoneAt} <= {Now} ORDER BY {GoneAt} LIMIT @limit FOR UPDATE SKIP LOCKED) AS gone STRAIGHT_JOIN {Table} AS r ON r.{Key} = gone.{Key}";

    private string OfOwner(string what) => $"SELECT {what} FROM {Table} WHERE {Key} = @key AND {Owner} = @owner AND {Status} = {InProgress}";

    private string IfGone(string column, string value) => $"{column} = IF({GoneAt} <= {Now}, {value}, {column})";
}
