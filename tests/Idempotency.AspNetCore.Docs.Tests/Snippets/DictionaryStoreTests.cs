namespace Idempotency.AspNetCore.Docs.Tests;

#region docs: conformance
public sealed class DictionaryStoreTests : StoreConformanceTests
{
    private readonly FakeTimeProvider _time = new();

    public DictionaryStoreTests() => Store = new DictionaryStore(_time);

    protected override IIdempotencyStore Store { get; }

    protected override Task PassAsync(TimeSpan time) // or Task.Delay(time), if the engine has a clock of its own
    {
        _time.Advance(time);
        return Task.CompletedTask;
    }
}
#endregion
