namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>What clients of the pages' endpoints send.</summary>
internal sealed record Payment(decimal Amount);
