namespace Idempotency.AspNetCore;

/// <summary>The last fifteen minutes in slots of fifteen seconds, of which the newest is not over yet.</summary>
internal sealed class Window
{
    public const int Slots = 60;
    public static readonly TimeSpan Slot = TimeSpan.FromSeconds(15);

    private long _slot;

    /// <summary>Where the newest slot is in the rings of the series.</summary>
    public int Newest => (int)(_slot % Slots);

    /// <summary>Moves on to the slot of a moment.</summary>
    /// <param name="sinceStart">The moment.</param>
    /// <param name="clear">Called with each place in the rings that a new slot takes.</param>
    public void Advance(TimeSpan sinceStart, Action<int> clear)
    {
        var slot = sinceStart.Ticks / Slot.Ticks;
        for (var cleared = Math.Max(_slot, slot - Slots) + 1; cleared <= slot; cleared++)
        {
            clear((int)(cleared % Slots));
        }

        _slot = Math.Max(_slot, slot);
    }

    /// <summary>A ring from its oldest slot to the newest.</summary>
    public long[] InOrder(ReadOnlySpan<int> ring)
    {
        var values = new long[Slots];
        for (var i = 0; i < Slots; i++)
        {
            values[i] = ring[(Newest + 1 + i) % Slots];
        }

        return values;
    }
}
