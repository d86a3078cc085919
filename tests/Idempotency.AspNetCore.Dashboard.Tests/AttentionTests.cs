using System.Net;
using System.Text.Json;

namespace Idempotency.AspNetCore.Dashboard.Tests;

/// <summary>What needs a person is on the page, with what to do about it.</summary>
public sealed class AttentionTests
{
    private static readonly TimeSpan AfterTheLease = TimeSpan.FromSeconds(100);

    private static JsonElement[] Items(JsonElement attention)
    {
        Assert.False(attention.TryGetProperty("error", out var error), error.ToString());
        return [.. attention.GetProperty("items").EnumerateArray()];
    }

    private static string Text(JsonElement item, string name) => item.GetProperty(name).GetString()!;

    [Fact]
    public async Task Nothing_is_said_where_nothing_is_wrong()
    {
        await using var site = await Site.StartAsync(static app => app.MapPost("/pay", static () => "x").WithIdempotency());
        await site.PayAsync();
        await site.PayAsync();
        await site.PayAsync(json: "[]");
        var attention = await site.AttentionAsync();
        Assert.Empty(Items(attention));
        Assert.True(attention.GetProperty("canList").GetBoolean());
        Assert.True(attention.GetProperty("isComplete").GetBoolean());
    }

    [Theory]
    [InlineData(AbandonedBehavior.TakeOver, "abandoned", "runs-again", "The next retry with this key runs the request again.")]
    [InlineData(AbandonedBehavior.Refuse, "outcome-unknown", "rejected", "Find out whether the effect happened, and undo or confirm it.")]
    public async Task An_abandoned_claim_is_there_with_its_attempt_its_age_and_the_policys_decision(AbandonedBehavior behavior, string kind, string next, string whatToDo)
    {
        await using var site = await Site.StartAsync(options: options => options.DefaultPolicy = options.DefaultPolicy with { WhenAbandoned = behavior });
        var key = await site.AbandonAsync("first", attempt: 3);
        Assert.Empty(Items(await site.AttentionAsync())); // its lease lasts
        site.Time.Advance(AfterTheLease);
        var item = Assert.Single(Items(await site.AttentionAsync()));
        Assert.Equal(key.ToString(), Text(item, "storeKey"));
        Assert.Equal(kind, Text(item, "kind"));
        Assert.Equal(next, Text(item, "next"));
        Assert.Equal(3, item.GetProperty("attempt").GetInt32());
        Assert.Equal(40, item.GetProperty("secondsAgo").GetDouble());
        Assert.StartsWith(whatToDo, Text(item, "do"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_policies_differ_it_says_that_the_endpoints_policy_decides()
    {
        await using var site = await Site.StartAsync(static app => app.MapPost("/pay", static () => "x").WithIdempotency(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse }));
        await site.AbandonAsync("first");
        site.Time.Advance(AfterTheLease);
        Assert.Equal("by-policy", Text(Assert.Single(Items(await site.AttentionAsync())), "next"));
    }

    [Fact]
    public async Task Recorded_steps_are_named_and_say_that_a_retry_resumes()
    {
        await using var site = await Site.StartAsync(static app => app.MapPost("/subscribe", static async (IIdempotentRun run) =>
        {
            await run.StepAsync("charge", static _ => Task.FromResult("secret result"));
            return Results.StatusCode(503);
        }).WithIdempotency());
        await site.PayAsync("/subscribe");
        site.Time.Advance(AfterTheLease);
        var item = Assert.Single(Items(await site.AttentionAsync()));
        Assert.Equal("resumes", Text(item, "next"));
        var step = Assert.Single(item.GetProperty("steps").EnumerateArray());
        Assert.Equal(("charge", "recorded", 1), (Text(step, "name"), Text(step, "state"), step.GetProperty("attempt").GetInt32()));
        Assert.DoesNotContain("secret", item.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_outcome_is_there_until_its_record_is_forgotten()
    {
        await using var site = await Site.StartAsync(static app => app.MapPost("/pay", static async (IIdempotentRun run) =>
        {
            await run.MarkEffectsStartedAsync();
            return Results.StatusCode(500);
        }).WithIdempotency());
        await site.PayAsync();
        Assert.Equal(HttpStatusCode.Conflict, await site.PayAsync());
        var item = Assert.Single(Items(await site.AttentionAsync()));
        Assert.Equal(("outcome-unknown", "rejected"), (Text(item, "kind"), Text(item, "next")));
        Assert.Equal(2, item.GetProperty("seen").GetInt32());
        await site.ForgetAsync(site.Store.LastKey);
        Assert.Empty(Items(await site.AttentionAsync()));
    }

    [Fact]
    public async Task An_unknown_outcome_is_found_by_the_retry_that_is_rejected_where_the_store_cannot_list()
    {
        await using var site = await Site.StartAsync(
            static app => app.MapPost("/pay", static () => "x").WithIdempotency(new IdempotencyPolicy { WhenAbandoned = AbandonedBehavior.Refuse }),
            services: static services => services.AddIdempotency().AddStore(static services => new Unlisted(services.GetRequiredService<InMemoryIdempotencyStore>())));
        var key = site.Records.StoreKeyOf(new() { Method = "POST", Path = "/pay", Key = "key-1" });
        var inner = site.Services.GetRequiredService<InMemoryIdempotencyStore>();

        // The claim of a process that died, with the fingerprint of this very request.
        await site.PayAsync();
        var record = await inner.ReadAsync(key, default);
        await site.Records.ForgetAsync(key);
        await inner.ClaimAsync(key, new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = record!.Fingerprint, Attempt = 1, Lease = TimeSpan.FromSeconds(60), Retention = TimeSpan.FromHours(1) }, default);
        site.Time.Advance(AfterTheLease);
        var before = await site.AttentionAsync();
        Assert.False(before.GetProperty("canList").GetBoolean());
        Assert.Empty(Items(before));
        Assert.Equal(HttpStatusCode.Conflict, await site.PayAsync());
        var item = Assert.Single(Items(await site.AttentionAsync(again: true)));
        Assert.Equal(("outcome-unknown", key.ToString()), (Text(item, "kind"), Text(item, "storeKey")));
    }

    [Fact]
    public async Task A_response_that_could_not_be_recorded_is_there_until_its_record_is_forgotten()
    {
        await using var site = await Site.StartAsync(static app => app.MapPost("/pay", static () => "x").WithIdempotency());
        site.Store.Before = static operation => operation == "complete" ? throw new IOException("away") : Task.CompletedTask;
        var paying = site.PayAsync();
        await Eventually.TrueAsync(
            () =>
            {
                site.Time.Advance(TimeSpan.FromSeconds(5)); // it is tried again while the lease lasts
                return paying.IsCompleted;
            },
            "the response is sent all the same");
        Assert.Equal(HttpStatusCode.OK, await paying);
        site.Time.Advance(AfterTheLease);
        var item = Assert.Single(Items(await site.AttentionAsync()));
        Assert.Equal("not-recorded", Text(item, "kind"));
        Assert.EndsWith("Check the operation by hand.", Text(item, "do"), StringComparison.Ordinal);
        Assert.Equal("runs-again", Text(item, "next"));
        Assert.Contains("A response could not be recorded.", (await site.LookUpAsync(site.Store.LastKey)).GetProperty("incidents")[0].GetString(), StringComparison.Ordinal);

        // A retry that ran again does not settle it: there may be two effects.
        site.Store.Before = null;
        await site.PayAsync();
        Assert.Equal("not-recorded", Text(Assert.Single(Items(await site.AttentionAsync(again: true))), "kind"));

        // Nor does the end of the retention. It can be taken off the list all the same.
        site.Time.Advance(TimeSpan.FromDays(2));
        Assert.Single(Items(await site.AttentionAsync()));
        var gone = await site.LookUpAsync(site.Store.LastKey);
        Assert.Equal(("none", "careful"), (Text(gone, "state"), Text(gone, "mayForget")));
        await site.ForgetAsync(site.Store.LastKey);
        Assert.Equal(1, site.Logs.Count("RecordForgotten"));
        Assert.Empty(Items(await site.AttentionAsync()));
    }

    [Fact]
    public async Task An_unreadable_record_is_there_once_a_retry_has_met_it()
    {
        await using var site = await Site.StartAsync(static app => app.MapPost("/pay", static () => "x").WithIdempotency(new IdempotencyPolicy { Fingerprint = RequestFingerprintMode.None }));
        await site.PayAsync(key: "other");
        var fingerprint = (await site.Store.Inner.ReadAsync(site.Store.LastKey, default))!.Fingerprint;
        var key = site.Records.StoreKeyOf(new() { Method = "POST", Path = "/pay", Key = "key-1" });
        var claim = new IdempotencyClaim { Owner = Guid.NewGuid(), Fingerprint = fingerprint, Attempt = 1, Lease = TimeSpan.FromSeconds(60), Retention = TimeSpan.FromHours(1) };
        await site.Store.Inner.ClaimAsync(key, claim, default);
        await site.Store.Inner.CompleteAsync(key, claim.Owner, "gibberish"u8.ToArray(), TimeSpan.FromHours(1), default);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await site.PayAsync());
        var item = Assert.Single(Items(await site.AttentionAsync()));
        Assert.Equal(("unreadable", key.ToString()), (Text(item, "kind"), Text(item, "storeKey")));
        await site.ForgetAsync(key);
        Assert.Empty(Items(await site.AttentionAsync()));
    }

    [Fact]
    public async Task A_store_that_fails_is_told_of_without_what_its_exception_says()
    {
        await using var site = await Site.StartAsync();
        site.Store.Before = static operation => operation == "list" ? throw new IOException("Password=secret") : Task.CompletedTask;
        var attention = await site.AttentionAsync();
        Assert.Equal("The store is unavailable. The server's log says why.", attention.GetProperty("error").GetString());
        Assert.DoesNotContain("secret", attention.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, site.Logs.Count("DashboardStoreFailed"));
        site.Store.Before = null;
        Assert.Empty(Items(await site.AttentionAsync(again: true)));
    }

    [Fact]
    public async Task A_store_that_does_not_answer_holds_nobody_up_and_is_not_asked_twice_at_a_time()
    {
        var gate = new Gate();
        await using var site = await Site.StartAsync();
        site.Store.Before = operation => operation == "list" ? gate.PassAsync() : Task.CompletedTask;
        var first = site.AttentionAsync();
        await gate.ArrivedAsync();
        await Eventually.TrueAsync(
            () =>
            {
                site.Time.Advance(TimeSpan.FromSeconds(5));
                return first.IsCompleted;
            },
            "the viewer is not kept waiting");
        Assert.Contains("has not responded within 10 seconds", (await first).GetProperty("error").GetString(), StringComparison.Ordinal);
        var second = site.AttentionAsync(again: true);
        await Eventually.TrueAsync(
            () =>
            {
                site.Time.Advance(TimeSpan.FromSeconds(5));
                return second.IsCompleted;
            },
            "the next viewer is not kept waiting either");
        Assert.True((await second).TryGetProperty("error", out _));
        Assert.Equal(1, site.Store.Listings);
        gate.Open();
        await Eventually.TrueAsync(async () => !(await site.AttentionAsync(again: true)).TryGetProperty("error", out _), "the store has answered");
    }

    [Fact]
    public async Task Viewers_share_one_list_until_it_is_old_or_somebody_asks_again()
    {
        await using var site = await Site.StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => site.AttentionAsync()));
        Assert.Equal(1, site.Store.Listings);
        site.Time.Advance(TimeSpan.FromSeconds(9));
        await site.AttentionAsync();
        Assert.Equal(1, site.Store.Listings);
        using (var foreign = await site.AskAsync("/idempotency/attention?again", with: static request => request.Headers.Remove("Idempotency-Dashboard"))) // an image of another site
        {
            Assert.Equal(1, site.Store.Listings);
        }

        await site.AttentionAsync(again: true);
        Assert.Equal(2, site.Store.Listings);

        // One that takes long is made seldom.
        site.Store.Before = operation =>
        {
            site.Time.Advance(TimeSpan.FromSeconds(operation == "list" ? 2 : 0));
            return Task.CompletedTask;
        };
        site.Time.Advance(TimeSpan.FromSeconds(11));
        await site.AttentionAsync();
        Assert.Equal(3, site.Store.Listings);
        site.Time.Advance(TimeSpan.FromSeconds(30));
        await site.AttentionAsync();
        Assert.Equal(3, site.Store.Listings);
        site.Time.Advance(TimeSpan.FromSeconds(11));
        await site.AttentionAsync();
        Assert.Equal(4, site.Store.Listings);
    }

    [Fact]
    public async Task More_abandoned_claims_than_anybody_reads_are_cut_off_and_it_says_so()
    {
        await using var site = await Site.StartAsync();
        for (var i = 0; i < 130; i++)
        {
            await site.AbandonAsync($"{i}");
        }

        site.Time.Advance(AfterTheLease);
        var attention = await site.AttentionAsync();
        Assert.Equal(100, Items(attention).Length);
        Assert.False(attention.GetProperty("isComplete").GetBoolean());
    }

    [Fact]
    public async Task Details_that_take_too_long_are_left_out()
    {
        await using var site = await Site.StartAsync();
        for (var i = 0; i < 20; i++)
        {
            await site.AbandonAsync($"{i}");
        }

        site.Time.Advance(AfterTheLease);
        site.Store.Before = operation =>
        {
            site.Time.Advance(TimeSpan.FromSeconds(operation == "read" ? 1 : 0));
            return Task.CompletedTask;
        };
        var attention = await site.AttentionAsync();
        Assert.Equal(20, Items(attention).Length);
        Assert.False(attention.GetProperty("isComplete").GetBoolean());
        Assert.Contains(Items(attention), item => Text(item, "next") == "by-policy");
    }

    /// <summary>A store that cannot list abandoned claims, as Redis.</summary>
    private sealed class Unlisted(InMemoryIdempotencyStore inner) : IIdempotencyStore
    {
        public ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken) => inner.ClaimAsync(key, claim, cancellationToken);

        public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => inner.RenewAsync(key, owner, lease, retention, cancellationToken);

        public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => inner.MarkEffectsStartedAsync(key, owner, lease, retention, cancellationToken);

        public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken) => inner.SaveStepsAsync(key, owner, steps, lease, retention, cancellationToken);

        public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) => inner.CompleteAsync(key, owner, payload, retention, cancellationToken);

        public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken) => inner.ReleaseAsync(key, owner, cancellationToken);

        public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken) => inner.ReadAsync(key, cancellationToken);

        public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken) => inner.DeleteAsync(key, cancellationToken);
    }
}
