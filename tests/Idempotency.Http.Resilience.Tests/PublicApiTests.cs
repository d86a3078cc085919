using System.Reflection;

namespace Idempotency.Http.Tests;

/// <summary>What the package shows to the world.</summary>
public sealed class PublicApiTests
{
    private static Assembly Package => typeof(IdempotentResilienceHttpClientBuilderExtensions).Assembly;

    [Fact]
    public void The_public_API_is_the_approved_one() => PublicApi.AssertApproved(Package);

    [Fact]
    public void Nothing_of_ASPNET_Core_is_needed() =>
        Assert.DoesNotContain(Package.GetReferencedAssemblies(), name => name.Name!.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));
}
