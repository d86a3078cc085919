[assembly: AssemblyFixture(typeof(Idempotency.AspNetCore.Tests.DynamoDBServer))]
