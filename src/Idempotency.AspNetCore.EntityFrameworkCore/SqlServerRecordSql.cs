namespace Idempotency.AspNetCore;

/// <summary>The statements for SQL Server 2016 or later. The default tests check only their text; the tests that run them need a container engine.</summary>
internal sealed class SqlServerRecordSql : RecordSql
{
    // A server or a session can be set to not count rows, and the count shows whether the owner had the claim.
    private const string Counting = "SET NOCOUNT OFF; ";

    // A pooled connection keeps the isolation level of its last user. With SNAPSHOT, READPAST is an error, and a claim's update can be a conflict.
    private const string ReadCommitted = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;";

    public SqlServerRecordSql(RecordsTable table)
        : base(table, "DATEDIFF_BIG(millisecond, '19700101', SYSUTCDATETIME())")
    {
        Renew = Counting + Renew;
        Mark = Counting + Mark;
        SaveSteps = Counting + SaveSteps;
        Complete = Counting + Complete;
        Release = Counting + Release;
        Delete = Counting + Delete;
    }

    // varbinary(max): a separate size for each payload would create a cached plan for every length.
    public override int? PayloadSize => -1;

    // A deadlock victim, and most errors with XACT_ABORT.
    public override bool EndsTransactions => true;

    // UPDLOCK and SERIALIZABLE lock the key, or the gap where it would be, so that of two claims the second waits for the first and then finds its row.
    // An existing record is read before anything is locked, because replays and rejections, which find one, must not write.
    public override string Claim =>
        $"""
        SET XACT_ABORT ON;
        {ReadCommitted}
        DECLARE @taken int = 0;
        IF NOT EXISTS (SELECT 1 FROM {Table} WHERE {Key} = @key AND {GoneAt} > {Now})
        BEGIN
            BEGIN TRANSACTION;
            UPDATE {Table} WITH (UPDLOCK, SERIALIZABLE) SET {Claimed} WHERE {Key} = @key AND {GoneAt} <= {Now};
            SET @taken = @@ROWCOUNT;
            IF @taken = 0
            BEGIN
                INSERT INTO {Table} ({ClaimColumns}) SELECT {ClaimValues} WHERE NOT EXISTS (SELECT 1 FROM {Table} WITH (UPDLOCK, SERIALIZABLE) WHERE {Key} = @key);
                SET @taken = @@ROWCOUNT;
            END
            COMMIT TRANSACTION;
        END
        SELECT 1 WHERE @taken = 1;
        {Read};
        """;

    // A variable, because OUTPUT is not allowed on a table with triggers.
    public override string Supersede =>
        $"""
        {ReadCommitted}
        DECLARE @taken int = 0, @steps varbinary(max);
        UPDATE {Table} SET {TakenOver}, @steps = {Payload} WHERE {Superseding};
        SET @taken = @@ROWCOUNT;
        SELECT @steps WHERE @taken = 1;
        {Read};
        """;

    public override string Abandoned => $"SELECT TOP (@limit) {AbandonedColumns} FROM {Table} WHERE {AbandonedAfter}";

    // READPAST applies to locks; if READ COMMITTED reads row versions instead, READCOMMITTEDLOCK makes it read locks again.
    public override string RemoveExpired => $"{Counting}{ReadCommitted} DELETE TOP (@limit) FROM {Table} WITH (READPAST, ROWLOCK, READCOMMITTEDLOCK) WHERE {GoneAt} <= {Now}";
}
