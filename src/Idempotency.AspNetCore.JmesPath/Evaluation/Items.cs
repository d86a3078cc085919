using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>Enumerates the elements of an array, and charges a step for each.</summary>
internal struct Items
{
    private readonly List<Value>? _made;
    private readonly Evaluation _run;
    private JsonElement.ArrayEnumerator _elements;
    private int _next;

    public Items(List<Value> made, Evaluation run)
    {
        _made = made;
        _run = run;
    }

    public Items(JsonElement array, Evaluation run)
    {
        _elements = array.EnumerateArray();
        _run = run;
    }

    public Value Current { get; private set; }

    public readonly Items GetEnumerator() => this;

    public bool MoveNext()
    {
        _run.Charge(1);
        if (_made is not null)
        {
            if (_next == _made.Count)
            {
                return false;
            }

            Current = _made[_next++];
            return true;
        }

        if (!_elements.MoveNext())
        {
            return false;
        }

        Current = new Value(_elements.Current);
        return true;
    }
}
