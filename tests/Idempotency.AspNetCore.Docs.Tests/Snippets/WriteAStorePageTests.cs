using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/write-a-store.md, run; the store itself passes the conformance tests in <see cref="DictionaryStoreTests"/>.</summary>
public sealed class WriteAStorePageTests
{
    [Fact]
    public async Task The_store_is_used()
    {
        var builder = Applications.NewBuilder();
        builder.Services.TryAddSingleton(TimeProvider.System);
        #region docs: add-store
        builder.Services.AddIdempotency().AddStore<DictionaryStore>();
        #endregion
        await using var app = builder.Build();
        app.UseIdempotency();
        app.MapPost("/", () => "paid").WithIdempotency();
        using var client = await app.StartedAsync();
        using var first = await client.PostAsync("/", "k", "{}");
        using var second = await client.PostAsync("/", "k", "{}");
        Assert.True(second.IsReplay());
        Assert.IsType<DictionaryStore>(app.Services.GetRequiredService<IIdempotencyStore>());
    }
}
