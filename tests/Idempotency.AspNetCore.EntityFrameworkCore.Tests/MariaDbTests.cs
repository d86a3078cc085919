namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>What is MariaDB's own.</summary>
public sealed class MariaDbTests(MariaDbDatabase database) : ServerTests(database), IClassFixture<MariaDbDatabase>
{
}
