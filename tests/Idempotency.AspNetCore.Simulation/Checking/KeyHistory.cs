namespace Idempotency.AspNetCore.Simulation;

/// <summary>The life of one key.</summary>
internal sealed class KeyHistory(StoreKey storeKey, RequestPlan request)
{
    public StoreKey StoreKey { get; } = storeKey;

    public int User { get; } = request.User;

    public int Key { get; } = request.Key;

    /// <summary>Whether it is a key of functions.</summary>
    public bool IsCall { get; } = request.IsCall;

    /// <summary>Everybody who ever claimed it, first first.</summary>
    public List<Tenure> Tenures { get; } = [];

    /// <summary>The record that is there, or was last.</summary>
    public Tenure? Current { get; set; }

    /// <summary>The runs of its handler, first first.</summary>
    public List<HandlerRun> Runs { get; } = [];

    /// <summary>The results of steps that the store has recorded at any time.</summary>
    public HashSet<int> RecordedResults { get; } = [];

    public string Name { get; } = request.KeyName;

    public override string ToString() => $"key {Name}";
}
