using System.Security.Claims;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/concepts.md, run.</summary>
public sealed class ConceptsPageTests
{
    [Fact]
    public async Task A_GraphQL_error_releases_the_key()
    {
        #region docs: graphql-policy
        var policy = new IdempotencyPolicy { ShouldStore = response => response.IsStoredByDefault && !HasErrors(response.Body) };
        #endregion
        var runs = 0;
        var builder = Applications.NewBuilder();
        builder.Services.AddIdempotency();
        await using var app = builder.Build();
        app.UseIdempotency();
        app.MapPost("/graphql", () => Results.Content(++runs == 1 ? """{"errors":[{}]}""" : """{"data":1}""", "application/json")).WithIdempotency(policy);
        using var client = await app.StartedAsync();
        using var failed = await client.PostAsync("/graphql", "k", "{}");
        using var succeeded = await client.PostAsync("/graphql", "k", "{}");
        using var replay = await client.PostAsync("/graphql", "k", "{}");
        Assert.False(succeeded.IsReplay());
        Assert.True(replay.IsReplay());
        Assert.Equal(2, runs);

        static bool HasErrors(ReadOnlyMemory<byte> body) => body.Span.IndexOf("\"errors\""u8) >= 0;
    }

    [Fact]
    public async Task A_replay_is_authorized_anew()
    {
        #region docs: authorize-replay
        var policy = new IdempotencyPolicy { AuthorizeReplay = async context => await context.RequestServices.GetRequiredService<Accounts>().IsOpenAsync(context.User) };
        #endregion
        var builder = Applications.NewBuilder();
        builder.Services.AddIdempotency();
        builder.Services.AddSingleton<Accounts>();
        await using var app = builder.Build();
        app.UseIdempotency();
        app.MapPost("/", () => "paid").WithIdempotency(policy);
        using var client = await app.StartedAsync();
        using var first = await client.PostAsync("/", "k", "{}");
        app.Services.GetRequiredService<Accounts>().IsClosed = true;
        using var second = await client.PostAsync("/", "k", "{}");
        Assert.Equal((200, 403), ((int)first.StatusCode, (int)second.StatusCode));
    }

    private sealed class Accounts
    {
        public bool IsClosed { get; set; }

        public Task<bool> IsOpenAsync(ClaimsPrincipal user) => Task.FromResult(user.Identity is not null && !IsClosed);
    }
}
