namespace Idempotency.AspNetCore.Dashboard.Tests;

/// <summary>What the package shows to the world.</summary>
public sealed class PublicApiTests
{
    [Fact]
    public void The_public_API_is_the_approved_one() => PublicApi.AssertApproved(typeof(IdempotencyDashboardEndpointRouteBuilderExtensions).Assembly);
}
