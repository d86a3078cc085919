[assembly: AssemblyFixture(typeof(Idempotency.AspNetCore.Tests.MariaDbServer))]
[assembly: AssemblyFixture(typeof(Idempotency.AspNetCore.Tests.PostgreSqlServer))]
#if USE_TESTCONTAINERS
[assembly: AssemblyFixture(typeof(Idempotency.AspNetCore.Tests.SqlServer))]
#endif
