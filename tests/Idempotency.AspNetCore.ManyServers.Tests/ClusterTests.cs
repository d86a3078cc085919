namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Tests that share a cluster: each finds it in order, whatever the one before did to it.</summary>
public abstract class ClusterTests(Cluster cluster) : IAsyncLifetime
{
    protected Cluster Cluster => cluster;

    protected Server A => cluster.Servers[0];

    protected Server B => cluster.Servers[1];

    protected Server C => cluster.Servers[2];

    public virtual async ValueTask InitializeAsync() => await cluster.HealAsync();

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    /// <summary>Returns when the handler has begun.</summary>
    private protected async Task<Effect> RunsAsync(string key, int attempt = 1)
    {
        await Eventually.TrueAsync(() => cluster.Effects.Of(key).Any(effect => effect.Attempt == attempt), $"the handler begins, attempt {attempt}");
        return cluster.Effects.Of(key).Single(effect => effect.Attempt == attempt);
    }

    /// <summary>Asks while the key is in progress; returns the first other answer.</summary>
    protected static Task<Answer> AskUntilDecidedAsync(Server server, string endpoint, string key, Ask? ask = null) =>
        Eventually.GetAsync(() => server.PostAsync(endpoint, key, ask), answer => answer.Code != Answer.InProgress);

    /// <summary>Every server replays this very answer. (One that has lost its connection to the store in the test may need a moment to have a new one.)</summary>
    protected async Task AllReplayAsync(string endpoint, string key, Answer expected)
    {
        foreach (var server in cluster.Servers)
        {
            var answer = await Eventually.GetAsync(() => server.PostAsync(endpoint, key), told => told.Code != Answer.StoreUnavailable);
            Assert.Equal(expected with { IsReplay = true }, answer);
        }
    }
}
