using System.Data;
using System.Reflection;
using MySql.Data.MySqlClient;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>The same transaction on MariaDB, whose client does not notice when a transaction is over.</summary>
public sealed class MariaDbSameTransactionTests(MariaDbDatabase database) : ServerSameTransactionTests(database), IClassFixture<MariaDbDatabase>
{
    // The client's constructors are its own.
    private protected override Exception Conflict() =>
        (Exception)Activator.CreateInstance(typeof(MySqlException), BindingFlags.NonPublic | BindingFlags.Instance, null, ["made up", (int)MySqlErrorCode.LockDeadlock], null)!;
}
