using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>
/// What an expression is applied to and what it gives: an element of a document, as it stands, or a string, list or object that was made. Numbers are always elements, so that
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

    /// <summary>Of a boolean: whether it is true.</summary>
    public bool IsTrue => _element.ValueKind == JsonValueKind.True;

    /// <summary>Of a number: its digits.</summary>
    public ReadOnlySpan<byte> Digits => System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(_element);

    /// <summary>Of an array: how many elements it has.</summary>
    public int Count => _made is List<Value> items ? items.Count : _element.GetArrayLength();

    /// <summary>The element that this is, unless it was made.</summary>
    public bool TryGetElement(out JsonElement element)
    {
        element = _element.ValueKind == JsonValueKind.Undefined ? NullElement : _element;
        return _made is null;
    }

    /// <summary>Of a string: its text.</summary>
    public string Text(Evaluation run)
    {
        // Whoever asks goes through it, whether it has to be decoded first or not.
        var text = _made as string;
        run.Charge((text?.Length ?? JsonString.RawLength(_element)) / Evaluation.CharactersInAStep);
        return text ?? JsonString.Of(_element);
    }

    /// <summary>Of an array: its elements.</summary>
    public Items Elements(Evaluation run) => _made is List<Value> items ? new Items(items, run) : new Items(_element, run);

    /// <summary>Of an array: one element, from its end when the index is negative; null when there is none.</summary>
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

        // Behind elements that are not scalars, an element is found by passing those before it.
        run.Charge(position / Evaluation.MembersInAStep);
        return new Value(_element[(int)position]);
    }

    /// <summary>Of an object: its members, each name once and with its last value.</summary>
    public Members Members(Evaluation run) => _made as Members ?? AspNetCore.Members.Of(_element, run);

    /// <summary>Of an object: a member's value, null when there is none.</summary>
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
