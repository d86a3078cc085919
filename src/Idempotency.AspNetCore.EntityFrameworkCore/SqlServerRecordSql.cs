namespace Idempotency.AspNetCore;

/// <summary>The statements for SQL Server, 2016 or later. The default tests see them as text only; those that run them need a container engine.</summary>
internal sealed class SqlServerRecordSql : RecordSql
{
    // A server or a session may be set to count no rows, and rows are what tells whether a claim was its owner's.
    private const string Counting = "SET NOCOUNT OFF; ";

    // A pooled connection keeps the isolation level of whoever used it last. Under SNAPSHOT, READPAST is an error and a claim's update may be a conflict.
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

    // varbinary(max): a size of each payload's own would make a cached plan for every length.
    public override int? PayloadSize => -1;

    // A deadlock's victim, and most errors under XACT_ABORT.
    public override bool EndsTransactions => true;

    // UPDLOCK and SERIALIZABLE lock the key, or the gap where it would be, so that of two claims the second waits for the first and then finds its row.
    // A record that is there is seen before anything is locked: replays and refusals, which are what finds one, shall write nothing.
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

    // A variable, not OUTPUT, which a table with triggers does not allow.
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

    // READPAST is for locks; where READ COMMITTED reads versions instead, READCOMMITTEDLOCK makes it read locks again.
    public override string RemoveExpired => $"{Counting}{ReadCommitted} DELETE TOP (@limit) FROM {Table} WITH (READPAST, ROWLOCK, READCOMMITTEDLOCK) WHERE {GoneAt} <= {Now}";
}
