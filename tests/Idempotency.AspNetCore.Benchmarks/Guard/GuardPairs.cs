namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The requests that the guard compares, with bodies of one size: each of this build, with the same of the other build as its baseline.</summary>
internal sealed class GuardPairs : IDisposable
{
    private readonly List<Variant> _variants = [];

    /// <param name="theirs">The assembly of the other build.</param>
    /// <param name="size">The size of bodies; 0 for the small one of all other measurements.</param>
    public GuardPairs(string theirs, int size)
    {
        var spec = new ServerSpec { IsProtected = true };
        Add(Variants.First, spec with { Retention = TimeSpan.FromSeconds(2) }, KeyKind.OneForEach); // they would fill the store
        Add(Variants.Warm, spec, KeyKind.OneForAll);
        Add("replay from the store", spec with { WithoutLocalCache = true }, KeyKind.OneForAll);

        void Add(string name, ServerSpec spec, KeyKind key)
        {
            var body = size == 0 ? Payment.SmallBody : Payment.BodyOf(size);

            // Both from their assemblies: what starts a process is the same on both sides too.
            var other = new Variant(name, null, new ServerProcess(spec, theirs), "/pay", key) { Body = body };
            _variants.AddRange([other, new Variant(name, other, new ServerProcess(spec, typeof(GuardPairs).Assembly.Location), "/pay", key) { Body = body }]);
        }
    }

    public IReadOnlyList<Variant> All => _variants;

    public void Dispose() => _variants.ForEach(variant => variant.Server.Dispose());
}
