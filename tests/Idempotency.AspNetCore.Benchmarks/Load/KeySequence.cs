namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>The fresh keys of all connections of this process.</summary>
internal static class KeySequence
{
    private const long Burst = Traffic.KeysAtOnce * Traffic.RequestsPerKey;
    private const long ContendedFrom = 1L << 56; // far from the single ones
    private static long _lastSingle;
    private static long _lastContended = -1;
    private static long _singleAtStart;
    private static long _contendedAtStart;

    /// <summary>How many fresh keys were taken since the last <see cref="Begin"/>.</summary>
    public static long Taken
    {
        get
        {
            var contended = _lastContended - _contendedAtStart;
            return _lastSingle - _singleAtStart + (contended / Burst * Traffic.KeysAtOnce) + Math.Min(Traffic.KeysAtOnce, contended % Burst);
        }
    }

    /// <summary>Starts counting, with keys that nobody had before.</summary>
    public static void Begin()
    {
        _singleAtStart = _lastSingle;
        _lastContended = _contendedAtStart = ((_lastContended / Burst) + 1) * Burst - 1;
    }

    public static long Next(KeyKind kind) => kind switch
    {
        KeyKind.OneForEach => Interlocked.Increment(ref _lastSingle),
        KeyKind.Contended => Contended(Interlocked.Increment(ref _lastContended)),
        _ => 0,
    };

    /// <summary>So many requests in a row go to so many keys in turn; then come the next keys.</summary>
    private static long Contended(long number) => ContendedFrom + (number / Burst * Traffic.KeysAtOnce) + (number % Traffic.KeysAtOnce);
}
