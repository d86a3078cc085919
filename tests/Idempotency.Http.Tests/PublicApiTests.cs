namespace Idempotency.Http.Tests;

/// <summary>What the package shows to the world.</summary>
public sealed class PublicApiTests
{
    [Fact]
    public void The_public_API_is_the_approved_one() => PublicApi.AssertApproved(typeof(IdempotencyKeyHandler).Assembly);

    [Fact]
    public void Nothing_of_ASPNET_Core_is_needed() =>
        Assert.DoesNotContain(typeof(IdempotencyKeyHandler).Assembly.GetReferencedAssemblies(), name => name.Name!.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));
}
