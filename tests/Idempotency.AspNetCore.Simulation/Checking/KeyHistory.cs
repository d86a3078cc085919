namespace Idempotency.AspNetCore.Simulation;

/// <summary>The life of one key.</summary>
internal sealed class KeyHistory(StoreKey storeKey, int user, int key)
{
    public StoreKey StoreKey { get; } = storeKey;

    public int User { get; } = user;

    public int Key { get; } = key;

    /// <summary>Everybody who ever claimed it, first first.</summary>
    public List<Tenure> Tenures { get; } = [];

    /// <summary>The record that is there, or was last.</summary>
    public Tenure? Current { get; set; }

    /// <summary>The runs of its handler, first first.</summary>
    public List<HandlerRun> Runs { get; } = [];

    public string Name { get; } = $"{user}/{key}"; // the user's, and the key

    public override string ToString() => $"key {Name}";
}
