namespace GettingStarted;

/// <summary>What was really paid.</summary>
public sealed class Ledger
{
    private int _payments;

    /// <summary>Pays, and returns the number of the payment.</summary>
    public int Pay(decimal amount) => amount > 0 ? Interlocked.Increment(ref _payments) : throw new ArgumentOutOfRangeException(nameof(amount));
}
