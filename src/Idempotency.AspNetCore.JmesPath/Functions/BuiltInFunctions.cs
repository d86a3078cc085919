using System.Numerics;
using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>The functions of the specification.</summary>
internal static class BuiltInFunctions
{
    public static readonly Function[] All =
    [
        new("abs", Abs, Accepts.Number),
        new("avg", Avg, Accepts.Array),
        new("ceil", call => Round(call, up: true), Accepts.Number),
        new("contains", Contains, Accepts.Array | Accepts.String, Accepts.Any),
        new("ends_with", EndsWith, Accepts.String, Accepts.String),
        new("floor", call => Round(call, up: false), Accepts.Number),
        new("join", Join, Accepts.String, Accepts.Array),
        new("keys", Keys, Accepts.Object),
        new("length", Length, Accepts.String | Accepts.Array | Accepts.Object),
        new("map", Map, Accepts.Reference, Accepts.Array),
        new("max", call => Extreme(call, 1, null), Accepts.Array) { OnlySelects = true },
        new("max_by", call => Extreme(call, 1, call.Reference(1)), Accepts.Array, Accepts.Reference) { OnlySelects = true },
        new("merge", Merge, Accepts.Object) { IsVariadic = true, OnlySelects = true },
        new("min", call => Extreme(call, -1, null), Accepts.Array) { OnlySelects = true },
        new("min_by", call => Extreme(call, -1, call.Reference(1)), Accepts.Array, Accepts.Reference) { OnlySelects = true },
        new("not_null", NotNull, Accepts.Any) { IsVariadic = true, OnlySelects = true },
        new("reverse", Reverse, Accepts.String | Accepts.Array) { OnlySelects = true },
        new("sort", call => Sorted(SortKeys(call, null)), Accepts.Array) { OnlySelects = true },
        new("sort_by", call => Sorted(SortKeys(call, call.Reference(1))), Accepts.Array, Accepts.Reference) { OnlySelects = true },
        new("starts_with", StartsWith, Accepts.String, Accepts.String),
        new("sum", Sum, Accepts.Array),
        new("to_array", ToArray, Accepts.Any) { OnlySelects = true },
        new("to_number", ToNumber, Accepts.Any) { OnlySelects = true },
        new("to_string", ToText, Accepts.Any),
        new("type", call => new Value(Function.TypeName(call.First.Kind)), Accepts.Any),
        new("values", Values, Accepts.Object) { OnlySelects = true },
    ];

    private static Value Abs(Call call)
    {
        call.Run.Charge(call.First.Digits.Length / Evaluation.CharactersInAStep);
        return call.First.Digits is [(byte)'-', .. var magnitude] ? new Value(JsonElement.Parse(magnitude)) : call.First;
    }

    private static Value Round(Call call, bool up)
    {
        call.Run.Charge(call.First.Digits.Length / Evaluation.CharactersInAStep);
        return JsonNumber.Round(call.First, up);
    }

    private static Value Avg(Call call)
    {
        var (exact, sum) = Total(call);
        return call.First.Count == 0 ? Value.Null : JsonNumber.Of((exact is { } integer ? (double)integer : sum) / call.First.Count, call.Position);
    }

    private static Value Sum(Call call)
    {
        var (exact, sum) = Total(call);
        return exact is { } integer ? JsonNumber.Of(integer) : JsonNumber.Of(sum, call.Position);
    }

    /// <summary>The sum of an array, exact if all elements are 64-bit integers, so that amounts in cents and ids keep every digit.</summary>
    private static (Int128? Exact, double Sum) Total(Call call)
    {
        Int128? exact = 0;
        var sum = 0d;
        foreach (var item in call.First.Elements(call.Run))
        {
            if (item.Kind != ValueKind.Number)
            {
                throw call.InvalidType($"takes an array of numbers, but got one that contains {Function.Described(item.Kind)}.");
            }

            call.Run.Charge(item.Digits.Length / Evaluation.CharactersInAStep);
            item.TryGetElement(out var element);
            exact = element.TryGetInt64(out var integer) ? exact + integer : null;
            sum += JsonNumber.ToDouble(item.Digits);
        }

        return (exact, sum);
    }

    private static Value Contains(Call call)
    {
        if (call.First.Kind == ValueKind.Array)
        {
            foreach (var item in call.First.Elements(call.Run))
            {
                if (Equality.AreEqual(item, call.Second, call.Run))
                {
                    return Value.Of(true);
                }
            }

            return Value.Of(false);
        }

        if (call.Second.Kind != ValueKind.String)
        {
            return Value.Of(false);
        }

        var text = call.First.Text(call.Run);
        var part = call.Second.Text(call.Run);

        // The search can compare up to the whole substring at each position, and the client may have chosen both to make it slow.
        call.Run.Charge((long)text.Length * part.Length / 1024);
        return Value.Of(text.Contains(part, StringComparison.Ordinal));
    }

    private static Value StartsWith(Call call) => Value.Of(call.First.Text(call.Run).StartsWith(call.Second.Text(call.Run), StringComparison.Ordinal));

    private static Value EndsWith(Call call) => Value.Of(call.First.Text(call.Run).EndsWith(call.Second.Text(call.Run), StringComparison.Ordinal));

    private static Value Join(Call call)
    {
        var glue = call.First.Text(call.Run);
        var text = new StringBuilder();
        var isFirst = true;
        foreach (var item in call.Second.Elements(call.Run))
        {
            if (item.Kind != ValueKind.String)
            {
                throw call.InvalidType($"takes an array of strings, but got one that contains {Function.Described(item.Kind)}.");
            }

            var part = item.Text(call.Run);
            call.Run.Charge((glue.Length + part.Length) / Evaluation.CharactersInAStep);
            text.Append(isFirst ? "" : glue).Append(part);
            isFirst = false;
        }

        return new Value(text.ToString());
    }

    private static Value Keys(Call call)
    {
        var members = call.First.Members(call.Run);
        var keys = new List<Value>(members.Count);
        for (var i = 0; i < members.Count; i++)
        {
            keys.Add(new Value(members[i].Key));
        }

        return new Value(keys);
    }

    private static Value Values(Call call)
    {
        var members = call.First.Members(call.Run);
        var values = new List<Value>(members.Count);
        for (var i = 0; i < members.Count; i++)
        {
            values.Add(members[i].Value);
        }

        return new Value(values);
    }

    private static Value Length(Call call) => JsonNumber.Of((Int128)(call.First.Kind switch
    {
        ValueKind.String => JsonString.Length(call.First.Text(call.Run)),
        ValueKind.Array => call.First.Count,
        _ => call.First.Members(call.Run).Count,
    }));

    private static Value Map(Call call)
    {
        var results = new List<Value>(call.Second.Count);
        foreach (var item in call.Second.Elements(call.Run))
        {
            results.Add(call.Reference(0).Evaluate(item, call.Run));
        }

        return new Value(results);
    }

    private static Value Merge(Call call)
    {
        var merged = new Members();
        foreach (var argument in call.Arguments)
        {
            var members = argument.Members(call.Run);
            call.Run.Charge(members.Count);
            for (var i = 0; i < members.Count; i++)
            {
                merged.Set(members[i].Key, members[i].Value);
            }
        }

        return new Value(merged);
    }

    private static Value NotNull(Call call)
    {
        foreach (var argument in call.Arguments)
        {
            if (!argument.IsNull)
            {
                return argument;
            }
        }

        return Value.Null;
    }

    private static Value Reverse(Call call)
    {
        if (call.First.Kind == ValueKind.String)
        {
            return new Value(JsonString.Reverse(call.First.Text(call.Run)));
        }

        var items = new List<Value>(call.First.Count);
        foreach (var item in call.First.Elements(call.Run))
        {
            items.Add(item);
        }

        items.Reverse();
        return new Value(items);
    }

    private static Value ToArray(Call call) => call.First.Kind == ValueKind.Array ? call.First : new Value([call.First]);

    private static Value ToText(Call call) => call.First.Kind == ValueKind.String ? call.First : new Value(JsonOutput.ToText(call.First, call.Run));

    /// <summary>For a string that is a JSON number, that number; null for other strings.</summary>
    private static Value ToNumber(Call call)
    {
        if (call.First.Kind == ValueKind.Number)
        {
            return call.First;
        }

        if (call.First.Kind != ValueKind.String)
        {
            return Value.Null;
        }

        var text = call.First.Text(call.Run);
        if (text.Length == 0 || !char.IsAsciiDigit(text[^1]) || !(char.IsAsciiDigit(text[0]) || text[0] == '-'))
        {
            return Value.Null;
        }

        try
        {
            return JsonNumber.Parse(text);
        }
        catch (JsonException)
        {
            return Value.Null;
        }
    }

    /// <summary>The largest (1) or the smallest (-1) element; if several are equal, the first.</summary>
    private static Value Extreme(Call call, int sign, Node? by)
    {
        var keys = SortKeys(call, by);
        if (keys.Length == 0)
        {
            return Value.Null;
        }

        var best = keys[0];
        foreach (var key in keys)
        {
            best = sign * key.CompareKeys(best) > 0 ? key : best;
        }

        return best.Item;
    }

    private static Value Sorted(SortKey[] keys)
    {
        Array.Sort(keys);
        var sorted = new List<Value>(keys.Length);
        foreach (var key in keys)
        {
            sorted.Add(key.Item);
        }

        return new Value(sorted);
    }

    /// <summary>The sort keys of the elements of the first argument: the elements themselves, or the results of an expression. All are numbers or all are strings.</summary>
    private static SortKey[] SortKeys(Call call, Node? by)
    {
        var keys = new List<SortKey>(call.First.Count);
        var kind = ValueKind.Null;
        var longest = 0;
        foreach (var item in call.First.Elements(call.Run))
        {
            var value = by is null ? item : by.Evaluate(item, call.Run);
            kind = keys.Count == 0 ? value.Kind : kind;
            if (value.Kind != kind || kind is not (ValueKind.Number or ValueKind.String))
            {
                var what = by is null ? "takes an array of numbers or of strings" : "takes an expression that returns numbers, or strings, for all elements";
                throw call.InvalidType($"{what}, but got {Function.Described(value.Kind)}{(value.Kind != kind ? " and " + Function.Described(kind) : "")}.");
            }

            var text = kind == ValueKind.String ? value.Text(call.Run) : null;
            longest = Math.Max(longest, text?.Length ?? value.Digits.Length);
            keys.Add(new SortKey(item, value, text, keys.Count));
        }

        // The comparisons are charged before they start, because nothing may throw within a sort.
        call.Run.Charge((long)keys.Count * (BitOperations.Log2((uint)keys.Count + 1) + 1) * (1 + (longest / 64)));
        return [.. keys];
    }

    /// <summary>An element and its sort key. Equal keys stay in the order of the document.</summary>
    private readonly record struct SortKey(Value Item, Value Number, string? Text, int Index) : IComparable<SortKey>
    {
        public int CompareTo(SortKey other) => CompareKeys(other) is var order && order != 0 ? order : Index.CompareTo(other.Index);

        public int CompareKeys(SortKey other) => Text is null ? JsonNumber.Compare(Number.Digits, other.Number.Digits) : JsonString.Compare(Text, other.Text!);
    }
}
