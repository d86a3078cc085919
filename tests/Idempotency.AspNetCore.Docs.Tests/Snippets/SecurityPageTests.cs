namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/security.md, run.</summary>
public sealed class SecurityPageTests
{
    [Fact]
    public async Task Tenants_have_partitions_of_their_own()
    {
        var builder = Applications.NewBuilder();
        #region docs: tenant-partition
        builder.Services.AddIdempotency(options => options.DefaultPolicy = options.DefaultPolicy with
        {
            Partition = context => $"{context.Request.Host.Host}/{context.User.FindFirst("sub")?.Value}",
        });
        #endregion
        await using var app = builder.Build();
        var runs = 0;
        app.UseIdempotency();
        app.MapPost("/", () => ++runs).WithIdempotency();
        using var client = await app.StartedAsync();
        using var first = await client.PostAsync("http://north.example/", "k", "{}");
        using var second = await client.PostAsync("http://south.example/", "k", "{}");
        using var third = await client.PostAsync("http://north.example/", "k", "{}");
        Assert.False(second.IsReplay());
        Assert.True(third.IsReplay());
        Assert.Equal(2, runs);
    }
}
