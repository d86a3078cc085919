using Microsoft.Data.SqlClient;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>The statements for SQL Server, as text: no server runs them here.</summary>
public sealed class SqlServerSqlTests
{
    private static readonly SqlServerRecordSql Sql = new(new RecordsTable("[app].[Records]", property => $"[{property}]"));

    private const string Now = "DATEDIFF_BIG(millisecond, '19700101', SYSUTCDATETIME())";
    private const string Read = $"SELECT [Status], [Owner], [Attempt], [Fingerprint], [LeaseUntil] - {Now}, [GoneAt] - {Now}, [Payload] FROM [app].[Records] WHERE [Key] = @key AND [GoneAt] > {Now}";
    private const string TakenOver = $"[Status] = 0, [Owner] = @owner, [Attempt] = @attempt, [Fingerprint] = @fingerprint, [LeaseUntil] = {Now} + @lease, [GoneAt] = {Now} + @gone";
    private const string Claimed = $"{TakenOver}, [Payload] = NULL, [StepsVersion] = NULL";
    private const string OwnersClaim = $"[Key] = @key AND [Owner] = @owner AND [Status] IN (0, 1) AND [GoneAt] > {Now}";

    [Fact]
    public void A_claim_looks_then_locks_the_key_and_tells_what_is_in_the_way() => Assert.Equal(
        $"""
        SET XACT_ABORT ON;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        DECLARE @taken int = 0;
        IF NOT EXISTS (SELECT 1 FROM [app].[Records] WHERE [Key] = @key AND [GoneAt] > {Now})
        BEGIN
            BEGIN TRANSACTION;
            UPDATE [app].[Records] WITH (UPDLOCK, SERIALIZABLE) SET {Claimed} WHERE [Key] = @key AND [GoneAt] <= {Now};
            SET @taken = @@ROWCOUNT;
            IF @taken = 0
            BEGIN
                INSERT INTO [app].[Records] ([Key], [Status], [Owner], [Attempt], [Fingerprint], [LeaseUntil], [GoneAt]) SELECT @key, 0, @owner, @attempt, @fingerprint, {Now} + @lease, {Now} + @gone WHERE NOT EXISTS (SELECT 1 FROM [app].[Records] WITH (UPDLOCK, SERIALIZABLE) WHERE [Key] = @key);
                SET @taken = @@ROWCOUNT;
            END
            COMMIT TRANSACTION;
        END
        SELECT 1 WHERE @taken = 1;
        {Read};
        """,
        Sql.Claim);

    [Fact]
    public void A_takeover_is_one_conditional_update_that_tells_the_steps() => Assert.Equal(
        $"""
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        DECLARE @taken int = 0, @steps varbinary(max);
        UPDATE [app].[Records] SET {TakenOver}, @steps = [Payload] WHERE [Key] = @key AND [Owner] = @superseded AND [Attempt] = @attempt - 1 AND [Fingerprint] = @fingerprint AND [Status] = 0 AND [LeaseUntil] <= {Now} AND [GoneAt] > {Now};
        SET @taken = @@ROWCOUNT;
        SELECT @steps WHERE @taken = 1;
        {Read};
        """,
        Sql.Supersede);

    [Fact]
    public void What_an_owner_does_is_compared_and_set_and_counted()
    {
        Assert.Equal($"SET NOCOUNT OFF; UPDATE [app].[Records] SET [LeaseUntil] = {Now} + @lease, [GoneAt] = {Now} + @gone WHERE {OwnersClaim}", Sql.Renew);
        Assert.Equal($"SET NOCOUNT OFF; UPDATE [app].[Records] SET [Status] = 1, [LeaseUntil] = {Now} + @lease, [GoneAt] = {Now} + @gone WHERE {OwnersClaim}", Sql.Mark);
        Assert.Equal($"SET NOCOUNT OFF; UPDATE [app].[Records] SET [Status] = 2, [LeaseUntil] = 0, [GoneAt] = {Now} + @gone, [Payload] = @payload, [StepsVersion] = NULL WHERE {OwnersClaim}", Sql.Complete);
        Assert.Equal(
            $"SET NOCOUNT OFF; DELETE FROM [app].[Records] WHERE {OwnersClaim} AND [StepsVersion] IS NULL; "
            + $"UPDATE [app].[Records] SET [Status] = 0, [Owner] = @nobody, [LeaseUntil] = {Now} WHERE {OwnersClaim} AND [StepsVersion] IS NOT NULL",
            Sql.Release);
        Assert.Equal($"SET NOCOUNT OFF; DELETE FROM [app].[Records] WHERE [Key] = @key AND [GoneAt] > {Now}", Sql.Delete);
        Assert.Equal(Read, Sql.Read);
    }

    [Fact]
    public void Steps_are_saved_where_they_are_later_and_the_owners_row_is_counted_in_any_case()
    {
        const string Later = "CASE WHEN COALESCE([StepsVersion], 0) < @version THEN";
        Assert.Equal(
            $"SET NOCOUNT OFF; UPDATE [app].[Records] SET [Status] = {Later} @status ELSE [Status] END, [LeaseUntil] = {Later} {Now} + @lease ELSE [LeaseUntil] END, [GoneAt] = {Later} {Now} + @gone ELSE [GoneAt] END, "
            + $"[Payload] = {Later} @payload ELSE [Payload] END, [StepsVersion] = {Later} @version ELSE [StepsVersion] END WHERE {OwnersClaim}",
            Sql.SaveSteps);
    }

    [Fact]
    public void What_goes_over_many_rows_is_limited_and_passes_by_locks()
    {
        Assert.Equal($"SET NOCOUNT OFF; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; DELETE TOP (@limit) FROM [app].[Records] WITH (READPAST, ROWLOCK, READCOMMITTEDLOCK) WHERE [GoneAt] <= {Now}", Sql.RemoveExpired);
        Assert.Equal($"SELECT TOP (@limit) [Key], [Attempt], {Now} - [LeaseUntil] FROM [app].[Records] WHERE [Key] > @after AND [Status] IN (0, 1) AND [LeaseUntil] <= {Now} AND [GoneAt] > {Now} ORDER BY [Key]", Sql.Abandoned);
    }

    [Fact]
    public void Parameters_have_one_size_whatever_their_length_so_that_plans_are_shared()
    {
        Assert.Equal(Declared(1), Declared(5000));
        Assert.Equal(-1, Declared(1)["@payload"]);
        Assert.Equal(32, Declared(1)["@key"]);
        using var page = new SqlCommand();
        EntityFrameworkCoreRecord.AddPage(page, [], 10);
        Assert.Equal(32, page.Parameters["@after"].Size);

        static Dictionary<string, int> Declared(int length)
        {
            using var command = new SqlCommand();
            EntityFrameworkCoreRecord.AddCompletion(command, Sql, StoreTests.NewKey(), Guid.NewGuid(), new byte[length], TimeSpan.FromHours(1));
            return command.Parameters.Cast<SqlParameter>().ToDictionary(parameter => parameter.ParameterName, parameter => parameter.Size);
        }
    }

    [Theory]
    [InlineData(1205, true)]
    [InlineData(3960, true)]
    [InlineData(2627, false)]
    public void Deadlocks_and_update_conflicts_are_known_by_their_numbers(int number, bool isConflict) =>
        Assert.Equal(isConflict, DatabaseConflict.Is(new DbUpdateException("saving", SqlServerFailure.Of(number))));
}
