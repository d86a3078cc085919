namespace Idempotency.AspNetCore.OpenApi.Tests;

/// <summary>What the tests' endpoints take and give.</summary>
internal sealed record Payment(decimal Amount);
