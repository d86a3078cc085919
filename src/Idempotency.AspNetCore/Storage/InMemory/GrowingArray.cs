using System.Numerics;

namespace Idempotency.AspNetCore;

/// <summary>Values that are numbered from 1. It grows by one more array, as large as all before it: nothing is copied, and a reference to a value stays valid.</summary>
internal sealed class GrowingArray<T>
    where T : unmanaged // nothing in it for the garbage collector to follow
{
    private const int FirstLength = 16;

    // The arrays have 16, 32, 64, … values: the array of a number follows from its highest bit.
    private readonly T[]?[] _parts = new T[]?[27];

    public ref T this[int number]
    {
        get
        {
            var place = (uint)number + FirstLength - 1;
            var part = BitOperations.Log2(place / FirstLength);
            return ref _parts[part]![place - (FirstLength << part)];
        }
    }

    /// <summary>Adds room for a number, the next one after the last.</summary>
    public void MakeRoom(int number)
    {
        var part = BitOperations.Log2(((uint)number + FirstLength - 1) / FirstLength);
        _parts[part] ??= new T[FirstLength << part];
    }

    public void Clear() => Array.Clear(_parts);
}
