namespace Idempotency.AspNetCore;

/// <summary>The SQL statements of the store for one engine.</summary>
/// <remarks>
/// <para>A record is gone when its time <c>GoneAt</c> has passed: for a completed record, the end of its retention; for a claim, the end of its lease and then its retention. Every
/// condition checks it, so nothing depends on when a row is deleted.</para>
/// <para>Parameters: <c>@key @owner @attempt @fingerprint @superseded @payload @status @version</c>; <c>@lease</c> and <c>@gone</c>, in milliseconds from now;
/// <c>@after @limit</c> for the two statements on many rows.</para>
/// </remarks>
internal abstract class RecordSql
{
    /// <summary>The states in the table. They never change.</summary>
    public const short InProgress = 0, EffectsStarted = 1, Completed = 2;

    /// <param name="table">The table.</param>
    /// <param name="now">The current time of the engine, not the start of the transaction, in milliseconds since 1970.</param>
    protected RecordSql(RecordsTable table, string now)
    {
        (Table, Now) = (table.Name, now);
        (Key, Status, Owner, Attempt) = (table[RecordsTable.Key], table[RecordsTable.Status], table[RecordsTable.Owner], table[RecordsTable.Attempt]);
        (Fingerprint, LeaseUntil, GoneAt) = (table[RecordsTable.Fingerprint], table[RecordsTable.LeaseUntil], table[RecordsTable.GoneAt]);
        (Payload, StepsVersion) = (table[RecordsTable.Payload], table[RecordsTable.StepsVersion]);

        // The condition is "in progress and owned by the owner", even if the lease has ended.
        var ownersClaim = $"{Key} = @key AND {Owner} = @owner AND {Status} IN ({InProgress}, {EffectsStarted}) AND {GoneAt} > {now}";
        var renewed = $"{LeaseUntil} = {now} + @lease, {GoneAt} = {now} + @gone";
        Renew = $"UPDATE {Table} SET {renewed} WHERE {ownersClaim}";
        Mark = $"UPDATE {Table} SET {Status} = {EffectsStarted}, {renewed} WHERE {ownersClaim}";
        Complete = $"UPDATE {Table} SET {Status} = {Completed}, {LeaseUntil} = 0, {GoneAt} = {now} + @gone, {Payload} = @payload, {StepsVersion} = NULL WHERE {ownersClaim}";

        // A claim with later steps is written unchanged: the number of rows shows whether the owner has it. The version comes last, for engines in which an assignment sees those before it.
        var later = $"COALESCE({StepsVersion}, 0) < @version";
        SaveSteps = $"UPDATE {Table} SET {IfLater(Status, "@status")}, {IfLater(LeaseUntil, $"{now} + @lease")}, {IfLater(GoneAt, $"{now} + @gone")}, "
            + $"{IfLater(Payload, "@payload")}, {IfLater(StepsVersion, "@version")} WHERE {ownersClaim}";

        // The delete comes first: steps that are saved between the two are then released by the second.
        Release = $"DELETE FROM {Table} WHERE {ownersClaim} AND {StepsVersion} IS NULL; "
            + $"UPDATE {Table} SET {Status} = {InProgress}, {Owner} = @nobody, {LeaseUntil} = {now} WHERE {ownersClaim} AND {StepsVersion} IS NOT NULL";
        Delete = $"DELETE FROM {Table} WHERE {Key} = @key AND {GoneAt} > {now}";
        Read = $"SELECT {Status}, {Owner}, {Attempt}, {Fingerprint}, {LeaseUntil} - {now}, {GoneAt} - {now}, {Payload} FROM {Table} WHERE {Key} = @key AND {GoneAt} > {now}";
        TakenOver = $"{Status} = {InProgress}, {Owner} = @owner, {Attempt} = @attempt, {Fingerprint} = @fingerprint, {renewed}";
        Claimed = $"{TakenOver}, {Payload} = NULL, {StepsVersion} = NULL";
        Superseding = $"{Key} = @key AND {Owner} = @superseded AND {Attempt} = @attempt - 1 AND {Fingerprint} = @fingerprint AND {Status} = {InProgress} AND {LeaseUntil} <= {now} AND {GoneAt} > {now}";
        ClaimColumns = $"{Key}, {Status}, {Owner}, {Attempt}, {Fingerprint}, {LeaseUntil}, {GoneAt}";
        ClaimValues = $"@key, {InProgress}, @owner, @attempt, @fingerprint, {now} + @lease, {now} + @gone";
        AbandonedAfter = $"{Key} > @after AND {Status} IN ({InProgress}, {EffectsStarted}) AND {LeaseUntil} <= {now} AND {GoneAt} > {now} ORDER BY {Key}";
        AbandonedColumns = $"{Key}, {Attempt}, {now} - {LeaseUntil}";

        string IfLater(string column, string value) => $"{column} = CASE WHEN {later} THEN {value} ELSE {column} END";
    }

    /// <summary>
    /// Claims a key that has no record, or one that is gone. The first result set has a row if it was claimed, and the second has the record, if there is one;
    /// with <see cref="HasOneWriter"/>, the number of affected rows shows it.
    /// </summary>
    public abstract string Claim { get; }

    /// <summary>Takes over an abandoned claim. The results are those of <see cref="Claim"/>, except that the row of the first result set contains the steps of the claim.</summary>
    public abstract string Supersede { get; }

    public string Renew { get; protected init; }

    public string Mark { get; protected init; }

    /// <summary>Saves steps. One row is affected if the owner has the claim, whatever the version of its steps.</summary>
    public string SaveSteps { get; protected init; }

    public string Complete { get; protected init; }

    /// <summary>Deletes a claim, or releases one with steps. One row is affected if the owner had it.</summary>
    public string Release { get; protected init; }

    public string Delete { get; protected init; }

    public string Read { get; }

    /// <summary>Reads up to <c>@limit</c> abandoned claims whose keys come after <c>@after</c>.</summary>
    public abstract string Abandoned { get; }

    /// <summary>Deletes up to <c>@limit</c> records that are gone, skipping those that others are deleting.</summary>
    public abstract string RemoveExpired { get; }

    /// <summary>Whether the engine allows one writer at a time and runs in this process: writers then wait for a gate instead of blocking a thread, and reading first costs nothing.</summary>
    public virtual bool HasOneWriter => false;

    /// <summary>Whether some errors end a transaction on the server, which looks like a commit to the client.</summary>
    public virtual bool EndsTransactions => false;

    /// <summary>
    /// Marks the start of a transaction, if the client does not notice that a transaction was ended by SQL or by an error. Null if the client notices it.
    /// </summary>
    public virtual string? SetAnchor => null;

    /// <summary>Fails if the transaction that <see cref="SetAnchor"/> marked has ended.</summary>
    public virtual string? ReleaseAnchor => null;

    /// <summary>The size to declare for <c>@payload</c>, if declared sizes are part of the statement's plan; null to leave it to the client.</summary>
    public virtual int? PayloadSize => null;

    protected string Table { get; }

    protected string Now { get; }

    protected string Key { get; }

    protected string Status { get; }

    protected string Owner { get; }

    protected string Attempt { get; }

    protected string Fingerprint { get; }

    protected string LeaseUntil { get; }

    protected string GoneAt { get; }

    protected string Payload { get; }

    protected string StepsVersion { get; }

    /// <summary>The assignments of a claim to a row of a record that is gone.</summary>
    protected string Claimed { get; }

    /// <summary>The assignments of a claim to a row that it takes over, whose steps remain.</summary>
    protected string TakenOver { get; }

    protected string Superseding { get; }

    protected string ClaimColumns { get; }

    protected string ClaimValues { get; }

    protected string AbandonedColumns { get; }

    protected string AbandonedAfter { get; }

    /// <summary>
    /// For engines with ON CONFLICT. The existing row is read first, because ON CONFLICT writes a lock into it even if its condition fails, and
    /// replays and rejections, which find a record, must not write. ON CONFLICT is for a row that is inserted in between.
    /// </summary>
    protected string Upsert =>
        $"INSERT INTO {Table} AS r ({ClaimColumns}) SELECT {ClaimValues} WHERE NOT EXISTS (SELECT 1 FROM {Table} WHERE {Key} = @key AND {GoneAt} > {Now}) "
        + $"ON CONFLICT ({Key}) DO UPDATE SET {Claimed} WHERE r.{GoneAt} <= {Now}";
}
