[assembly: AssemblyFixture(typeof(Idempotency.AspNetCore.Tests.MariaDbServer))]
[assembly: AssemblyFixture(typeof(Idempotency.AspNetCore.Tests.PostgreSqlServer))]
