namespace Idempotency.AspNetCore;

/// <summary>A count over the window. Counting takes one atomic addition; slots are filled when the numbers are gathered.</summary>
internal sealed class CountSeries
{
    private readonly int[] _ring = new int[Window.Slots];
    private long _total;
    private long _gathered;

    public ReadOnlySpan<int> Ring => _ring;

    /// <summary>How many there are in the window.</summary>
    public long Count => Sum(_ring);

    public void Add(long count) => Interlocked.Add(ref _total, count);

    /// <summary>Puts what was counted since the last time into the newest slot.</summary>
    public void Gather(Window window)
    {
        var total = Interlocked.Read(ref _total);
        _ring[window.Newest] += (int)(total - _gathered);
        _gathered = total;
    }

    public void Clear(int slot) => _ring[slot] = 0;

    private static long Sum(ReadOnlySpan<int> ring)
    {
        var sum = 0L;
        foreach (var count in ring)
        {
            sum += count;
        }

        return sum;
    }
}
