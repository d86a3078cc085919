namespace Idempotency.AspNetCore;

/// <summary>The statements of the store, in the words of one engine.</summary>
/// <remarks>
/// <para>A record is over ("gone") when its moment <c>GoneAt</c> is past: of a completed one its retention, of a claim its lease and then its retention. Every
/// condition says so itself, so nothing depends on when a row is removed.</para>
/// <para>Parameters: <c>@key @owner @attempt @fingerprint @superseded @payload @status @version</c>; <c>@lease</c> and <c>@gone</c>, in milliseconds from now;
/// <c>@after @limit</c> for the two that go over many rows.</para>
/// </remarks>
internal abstract class RecordSql
{
    /// <summary>The states, as they are in the table: they outlive releases.</summary>
    public const short InProgress = 0, EffectsStarted = 1, Completed = 2;

    /// <param name="table">The table.</param>
    /// <param name="now">The engine's time, of this very moment and not of the transaction's beginning, in milliseconds since 1970.</param>
    protected RecordSql(RecordsTable table, string now)
    {
        (Table, Now) = (table.Name, now);
        (Key, Status, Owner, Attempt) = (table[RecordsTable.Key], table[RecordsTable.Status], table[RecordsTable.Owner], table[RecordsTable.Attempt]);
        (Fingerprint, LeaseUntil, GoneAt) = (table[RecordsTable.Fingerprint], table[RecordsTable.LeaseUntil], table[RecordsTable.GoneAt]);
        (Payload, StepsVersion) = (table[RecordsTable.Payload], table[RecordsTable.StepsVersion]);

        // Whose condition is "in progress and still the owner's", lapsed or not.
        var ownersClaim = $"{Key} = @key AND {Owner} = @owner AND {Status} IN ({InProgress}, {EffectsStarted}) AND {GoneAt} > {now}";
        var renewed = $"{LeaseUntil} = {now} + @lease, {GoneAt} = {now} + @gone";
        Renew = $"UPDATE {Table} SET {renewed} WHERE {ownersClaim}";
        Mark = $"UPDATE {Table} SET {Status} = {EffectsStarted}, {renewed} WHERE {ownersClaim}";
        Complete = $"UPDATE {Table} SET {Status} = {Completed}, {LeaseUntil} = 0, {GoneAt} = {now} + @gone, {Payload} = @payload, {StepsVersion} = NULL WHERE {ownersClaim}";

        // A claim with later steps is written as it is: the number of rows tells whether it is the owner's. The version comes last, for engines in which an assignment sees those before it.
        var later = $"COALESCE({StepsVersion}, 0) < @version";
        SaveSteps = $"UPDATE {Table} SET {IfLater(Status, "@status")}, {IfLater(LeaseUntil, $"{now} + @lease")}, {IfLater(GoneAt, $"{now} + @gone")}, "
            + $"{IfLater(Payload, "@payload")}, {IfLater(StepsVersion, "@version")} WHERE {ownersClaim}";

        // The removal first: steps that are saved between the two are then released by the second.
        Release = $"DELETE FROM {Table} WHERE {ownersClaim} AND {StepsVersion} IS NULL; "
            + $"UPDATE {Table} SET {Status} = {InProgress}, {Owner} = @nobody, {LeaseUntil} = {now} WHERE {ownersClaim} AND {StepsVersion} IS NOT NULL";
        Delete = $"DELETE FROM {Table} WHERE {Key} = @key AND {GoneAt} > {now}";
        Read = $"SELECT {Status}, {Owner}, {Attempt}, {Fingerprint}, {LeaseUntil} - {now}, {GoneAt} - {now}, {Payload} FROM {Table} WHERE {Key} = @key AND {GoneAt} > {now}";
        TakenOver = $"{Status} = {InProgress}, {Owner} = @owner, {Attempt} = @attempt, {Fingerprint} = @fingerprint, {renewed}";
        Claimed = $"{TakenOver}, {Payload} = NULL, {StepsVersion} = NULL";
        Superseding = $"{Key} = @key AND {Owner} = @superseded AND {Status} = {InProgress} AND {LeaseUntil} <= {now} AND {GoneAt} > {now}";
        ClaimColumns = $"{Key}, {Status}, {Owner}, {Attempt}, {Fingerprint}, {LeaseUntil}, {GoneAt}";
        ClaimValues = $"@key, {InProgress}, @owner, @attempt, @fingerprint, {now} + @lease, {now} + @gone";
        AbandonedAfter = $"{Key} > @after AND {Status} IN ({InProgress}, {EffectsStarted}) AND {LeaseUntil} <= {now} AND {GoneAt} > {now} ORDER BY {Key}";
        AbandonedColumns = $"{Key}, {Attempt}, {now} - {LeaseUntil}";

        string IfLater(string column, string value) => $"{column} = CASE WHEN {later} THEN {value} ELSE {column} END";
    }

    /// <summary>
    /// Takes a key that has no record, or one that is gone. Of several result sets the first has a row if it was taken, and the second the record, if there is one;
    /// with <see cref="HasOneWriter"/>, the number of rows written tells.
    /// </summary>
    public abstract string Claim { get; }

    /// <summary>Takes an abandoned claim over; told like <see cref="Claim"/>, and the row of the first result set is the steps that the claim has.</summary>
    public abstract string Supersede { get; }

    public string Renew { get; protected init; }

    public string Mark { get; protected init; }

    /// <summary>Saves steps. One row is written if the claim is the owner's, whatever the version of its steps.</summary>
    public string SaveSteps { get; protected init; }

    public string Complete { get; protected init; }

    /// <summary>Removes a claim, or frees one that has steps. One row is written if it was the owner's.</summary>
    public string Release { get; protected init; }

    public string Delete { get; protected init; }

    public string Read { get; }

    /// <summary>Up to <c>@limit</c> abandoned claims whose keys come after <c>@after</c>.</summary>
    public abstract string Abandoned { get; }

    /// <summary>Removes up to <c>@limit</c> records that are over, past those that others are removing.</summary>
    public abstract string RemoveExpired { get; }

    /// <summary>Whether the engine lets one transaction write at a time, and is in this process: then waiting is for a gate, not for a thread; and reading first costs nothing.</summary>
    public virtual bool HasOneWriter => false;

    /// <summary>Whether some errors end a transaction on the server, which to the client looks the same as if somebody had committed it.</summary>
    public virtual bool EndsTransactions => false;

    /// <summary>
    /// Where the client does not learn that a transaction was ended by SQL, or by an error: what marks its beginning. Null where the client knows by itself.
    /// </summary>
    public virtual string? SetAnchor => null;

    /// <summary>Fails if the transaction that <see cref="SetAnchor"/> marked is over.</summary>
    public virtual string? ReleaseAnchor => null;

    /// <summary>The size to declare for <c>@payload</c>, where the declared sizes are a part of the statement's plan; null to leave it to the client.</summary>
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

    /// <summary>What a claim sets in a row of a record that is gone.</summary>
    protected string Claimed { get; }

    /// <summary>What a claim sets in a row that it takes over, whose steps stay.</summary>
    protected string TakenOver { get; }

    protected string Superseding { get; }

    protected string ClaimColumns { get; }

    protected string ClaimValues { get; }

    protected string AbandonedColumns { get; }

    protected string AbandonedAfter { get; }

    /// <summary>
    /// For engines with ON CONFLICT. The row that is there is looked at first, because ON CONFLICT writes a lock into it even where its condition then fails:
    /// replays and refusals, which are what finds a record, shall write nothing. A row that comes in between is what ON CONFLICT is for.
    /// </summary>
    protected string Upsert =>
        $"INSERT INTO {Table} AS r ({ClaimColumns}) SELECT {ClaimValues} WHERE NOT EXISTS (SELECT 1 FROM {Table} WHERE {Key} = @key AND {GoneAt} > {Now}) "
        + $"ON CONFLICT ({Key}) DO UPDATE SET {Claimed} WHERE r.{GoneAt} <= {Now}";
}
