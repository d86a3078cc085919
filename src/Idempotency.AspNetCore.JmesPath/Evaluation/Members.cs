using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>The members of an object: each name once, with its last value, in the order of the first occurrences.</summary>
internal sealed class Members
{
    private const int FewEnoughToCompare = 8;

    private readonly List<KeyValuePair<string, Value>> _members = [];
    private Dictionary<string, int>? _index;

    public int Count => _members.Count;

    public KeyValuePair<string, Value> this[int index] => _members[index];

    public static Members Of(JsonElement element, Evaluation run)
    {
        var members = new Members();
        foreach (var property in element.EnumerateObject())
        {
            var name = JsonString.NameOf(property);
            run.Charge(1 + (name.Length / Evaluation.CharactersInAStep));
            members.Set(name, new Value(property.Value));
        }

        return members;
    }

    public void Set(string name, Value value)
    {
        var at = IndexOf(name);
        if (at >= 0)
        {
            _members[at] = new(name, value);
            return;
        }

        _members.Add(new(name, value));
        _index?.Add(name, _members.Count - 1);
    }

    public Value Find(string name) => TryFind(name, out var value) ? value : Value.Null;

    public bool TryFind(string name, out Value value)
    {
        var at = IndexOf(name);
        value = at >= 0 ? _members[at].Value : Value.Null;
        return at >= 0;
    }

    private int IndexOf(string name)
    {
        if (_members.Count <= FewEnoughToCompare)
        {
            for (var i = 0; i < _members.Count; i++)
            {
                if (_members[i].Key == name)
                {
                    return i;
                }
            }

            return -1;
        }

        if (_index is null)
        {
            _index = new Dictionary<string, int>(_members.Count * 2, StringComparer.Ordinal);
            for (var i = 0; i < _members.Count; i++)
            {
                _index.Add(_members[i].Key, i);
            }
        }

        return _index.GetValueOrDefault(name, -1);
    }
}
