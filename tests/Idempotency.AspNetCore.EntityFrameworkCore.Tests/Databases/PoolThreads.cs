using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore.EntityFrameworkCore.Tests;

/// <summary>Threads for many requests at once to a database whose client blocks one while it waits for a connection (MySql.Data): the pool's own would grow by one or two a second.</summary>
internal static class PoolThreads
{
    [ModuleInitializer]
    public static void Provide() => ThreadPool.SetMinThreads(200, 200);
}
