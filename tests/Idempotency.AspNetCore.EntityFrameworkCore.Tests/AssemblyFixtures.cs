[assembly: AssemblyFixture(typeof(Idempotency.AspNetCore.Tests.PostgreSqlServer))]
