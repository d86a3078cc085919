using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>
/// A value that an expression is applied to or returns: an unchanged element of a document, or a computed string, list or object. Numbers are always elements, so that
/// those of the document keep every digit. The default is null.
/// </summary>
internal readonly struct Value
{
    private static readonly JsonElement TrueElement = JsonElement.Parse("true"u8);
    private static readonly JsonElement FalseElement = JsonElement.Parse("false"u8);
    private static readonly JsonElement NullElement = JsonElement.Parse("null"u8);

    private readonly object? _made;
    private readonly JsonElement _element;

    public Value(JsonElement element) => _element = element;

    public Value(string text) => _made = text;

    public Value(List<Value> items) => _made = items;

    public Value(Members members) => _made = members;

    public static Value Null => default;

    public static Value Of(bool value) => new(value ? TrueElement : FalseElement);

    public ValueKind Kind => _made switch
    {
        null => _element.ValueKind switch
        {
            JsonValueKind.Object => ValueKind.Object,
            JsonValueKind.Array => ValueKind.Array,
            JsonValueKind.String => ValueKind.String,
            JsonValueKind.Number => ValueKind.Number,
            JsonValueKind.True or JsonValueKind.False => ValueKind.Boolean,
            _ => ValueKind.Null,
        },
        string => ValueKind.String,
        List<Value> => ValueKind.Array,
        _ => ValueKind.Object,
    };

    public bool IsNull => Kind == ValueKind.Null;

    /// <summary>For a boolean: whether it is true.</summary>
    public bool IsTrue => _element.ValueKind == JsonValueKind.True;

    /// <summary>For a number: its digits.</summary>
    public ReadOnlySpan<byte> Digits => System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(_element);

    /// <summary>For an array: the number of its elements.</summary>
    public int Count => _made is List<Value> items ? items.Count : _element.GetArrayLength();

    /// <summary>The element of the document, unless the value was computed.</summary>
    public bool TryGetElement(out JsonElement element)
    {
        element = _element.ValueKind == JsonValueKind.Undefined ? NullElement : _element;
        return _made is null;
    }

    /// <summary>For a string: its text.</summary>
    public string Text(Evaluation run)
    {
        // Every caller reads it completely, whether it has to be decoded first or not.
        var text = _made as string;
        run.Charge((text?.Length ?? JsonString.RawLength(_element)) / Evaluation.CharactersInAStep);
        return text ?? JsonString.Of(_element);
    }

    /// <summary>For an array: its elements.</summary>
    public Items Elements(Evaluation run) => _made is List<Value> items ? new Items(items, run) : new Items(_element, run);

    /// <summary>For an array: one element, from its end if the index is negative; null if there is none.</summary>
    public Value At(int index, Evaluation run)
    {
        var count = Count;
        var position = index < 0 ? (long)count + index : index;
        if (position < 0 || position >= count)
        {
            return Null;
        }

        if (_made is List<Value> items)
        {
            return items[(int)position];
        }

        // In an array of objects or arrays, an element is found by skipping those before it.
        run.Charge(position / Evaluation.MembersInAStep);
        return new Value(_element[(int)position]);
    }

    /// <summary>For an object: its members, each name once and with its last value.</summary>
    public Members Members(Evaluation run) => _made as Members ?? AspNetCore.Members.Of(_element, run);

    /// <summary>For an object: the value of a member; null if there is none.</summary>
    public Value Member(MemberName name, Evaluation run) => _made is Members members ? members.Find(name.Text) : name.FindIn(_element, run);

    /// <summary>False, null, <c>""</c>, <c>[]</c> and <c>{}</c> count as false; <c>0</c> does not.</summary>
    public bool IsFalsy() => Kind switch
    {
        ValueKind.Null => true,
        ValueKind.Boolean => !IsTrue,
        ValueKind.String => _made is string text ? text.Length == 0 : JsonString.RawLength(_element) == 0,
        ValueKind.Array => Count == 0,
        ValueKind.Object => _made is Members members ? members.Count == 0 : _element.GetPropertyCount() == 0,
        _ => false,
    };
}
