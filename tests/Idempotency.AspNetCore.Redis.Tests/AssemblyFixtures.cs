[assembly: AssemblyFixture(typeof(Idempotency.AspNetCore.Tests.RedisServer))]
