using System.Numerics;

namespace Idempotency.AspNetCore;

/// <summary>The payloads of many records in few arrays. Not thread-safe.</summary>
/// <remarks>
/// Payloads are written to a page one after the other, and the page is freed when its last payload is removed. That happens in time, because a page contains payloads of
/// about the same retention: they arrive and expire together. A large payload stays in the array that it arrived in.
/// </remarks>
internal sealed class PayloadPages
{
    private const int SmallestPage = 4 * 1024;
    private const int LargestPage = 64 * 1024;

    private readonly List<Page?> _pages = [];
    private readonly Stack<int> _free = [];

    // The page that is being written, one more than its index, for each magnitude of retention.
    private readonly int[] _open = new int[65];
    private long _kept;

    public Place Add(ReadOnlyMemory<byte> payload, TimeSpan retention)
    {
        if (payload.IsEmpty)
        {
            return default;
        }

        // About an eighth of the current size: no more is ever open and unused. And at most a sixteenth of a page is left over at its end.
        var size = (int)Math.Clamp(BitOperations.RoundUpToPowerOf2((ulong)_kept / 8), SmallestPage, LargestPage);
        _kept += payload.Length;
        if (payload.Length > size / 16)
        {
            return new Place(Keep(new Page(payload) { Records = 1 }), 0, payload.Length);
        }

        ref var open = ref _open[BitOperations.Log2((ulong)Math.Max(1, retention.Ticks))];
        if (open == 0 || _pages[open - 1]!.Free < payload.Length)
        {
            var full = open;
            open = Keep(new Page(size));
            Release(full);
        }

        return new Place(open, _pages[open - 1]!.Write(payload.Span), payload.Length);
    }

    /// <summary>Returns a payload, which the caller can hold for any time.</summary>
    public ReadOnlyMemory<byte> Read(Place place) => place.Length == 0 ? default : _pages[place.Page - 1]!.Read(place);

    public void Remove(Place place)
    {
        if (place.Length > 0)
        {
            _kept -= place.Length;
            _pages[place.Page - 1]!.Records--;
            Release(place.Page);
        }
    }

    private int Keep(Page page)
    {
        if (_free.TryPop(out var number))
        {
            _pages[number - 1] = page;
            return number;
        }

        _pages.Add(page);
        return _pages.Count;
    }

    private void Release(int number)
    {
        if (number > 0 && _pages[number - 1]!.Records == 0 && Array.IndexOf(_open, number) < 0)
        {
            _pages[number - 1] = null;
            _free.Push(number);
        }
    }

    /// <summary>The position of a payload.</summary>
    internal readonly record struct Place(int Page, int Offset, int Length);

    private sealed class Page
    {
        private readonly byte[]? _shared;
        private readonly ReadOnlyMemory<byte> _own;
        private int _used;

        public Page(ReadOnlyMemory<byte> own) => _own = own;

        public Page(int size) => _shared = GC.AllocateUninitializedArray<byte>(size);

        public int Records { get; set; }

        public int Free => _shared!.Length - _used;

        public int Write(ReadOnlySpan<byte> payload)
        {
            var offset = _used;
            payload.CopyTo(_shared.AsSpan(offset));
            _used += payload.Length;
            Records++;
            return offset;
        }

        // A copy of shared data: a cache that holds one small payload must not hold the page.
        public ReadOnlyMemory<byte> Read(Place place) => _shared is null ? _own : _shared.AsSpan(place.Offset, place.Length).ToArray();
    }
}
