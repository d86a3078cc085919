namespace Idempotency.AspNetCore.StoreConformance.Tests;

/// <summary>What the package's README shows: a store of somebody else's, under the conformance tests.</summary>
public sealed class DictionaryStoreTests : StoreConformanceTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly DictionaryStore _store;

    public DictionaryStoreTests() => _store = new DictionaryStore(_time);

    protected override IIdempotencyStore Store => _store;

    protected override Task PassAsync(TimeSpan time)
    {
        _time.Advance(time);
        return Task.CompletedTask;
    }
}
