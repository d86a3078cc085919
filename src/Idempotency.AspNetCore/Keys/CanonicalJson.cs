using System.Buffers;
using System.Buffers.Text;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Text;
using System.Text.Unicode;

namespace Idempotency.AspNetCore;

/// <summary>Writes the canonical form of a JSON text. Two texts have the same form exactly if <c>JsonElement.DeepEquals</c> returns true for them.</summary>
/// <remarks>
/// <para>The form, which the demo page computes too and which never changes:</para>
/// <para>1. No white space. 2. Arrays in order. 3. Members sorted by the bytes of their names as written here (rule 4), shorter first.
/// 4. Strings in UTF-8 with nothing escaped but <c>"</c>, <c>\</c> and U+0000 to U+001F: <c>\" \\ \b \t \n \f \r</c>, others <c>\u00xx</c> in lower case.
/// 5. Numbers as exact decimals: sign, digits without leading or trailing zeros, then <c>e</c> and the exponent unless that is zero; zero is <c>0</c>.
/// So <c>1</c>, <c>1.0</c> and <c>10e-1</c> are <c>1</c>; <c>100</c> is <c>1e2</c>; <c>-1.50</c> is <c>-15e-1</c>.</para>
/// <para>Texts without a form, because readers disagree on their meaning or they are not JSON (RFC 8259): duplicate names, lone surrogates,
/// invalid UTF-8, a byte order mark, more than 64 levels, trailing data, an exponent beyond 32 bits.</para>
/// <para>It makes one pass with its own scanner: a reader that returns tokens, a tree and a writer would each visit every byte again.
/// The work is O(n log n) for any text, and there is no hash table to flood.</para>
/// </remarks>
internal ref struct CanonicalJson
{
    private const int MaxDepth = 64;
    private static readonly SearchValues<byte> EndsPlainText = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(i => (byte)i), (byte)'"', (byte)'\\']);

    private readonly ReadOnlySpan<byte> _json;
    private readonly Span<byte> _out;
    private int _next;
    private int _length;
    private Member[] _members;
    private int _memberCount;
    private byte[]? _scratch;

    private CanonicalJson(ReadOnlySpan<byte> json, Span<byte> destination)
    {
        _json = json;
        _out = destination;
        _members = ArrayPool<Member>.Shared.Rent(32);
    }

    /// <summary>A member of an object that is being written: its start, the end of its name, and its end, in the output.</summary>
    private record struct Member(int Start, int NameEnd, int End);

    /// <summary>Appends the canonical form, or nothing if there is none.</summary>
    /// <returns>Whether there is a canonical form.</returns>
    public static bool TryAppend(ReadOnlySpan<byte> json, ref PooledBytes output)
    {
        if (!Utf8.IsValid(json))
        {
            return false;
        }

        // Nothing grows to twice its size: strings only shrink, and of numbers "1.5", which becomes "15e-1", grows the most. Strings are written in blocks of 16 bytes.
        var canonical = new CanonicalJson(json, output.Room((2 * json.Length) + 16));
        try
        {
            if (!canonical.Text())
            {
                return false;
            }

            output.Advance(canonical._length);
            return true;
        }
        finally
        {
            ArrayPool<Member>.Shared.Return(canonical._members);
            if (canonical._scratch is not null)
            {
                ArrayPool<byte>.Shared.Return(canonical._scratch);
            }
        }
    }

    private bool Text()
    {
        SkipWhiteSpace();
        if (!Value(0))
        {
            return false;
        }

        SkipWhiteSpace();
        return _next == _json.Length;
    }

    private bool Value(int depth) => Peek() switch
    {
        (byte)'{' => depth < MaxDepth && Object(depth + 1),
        (byte)'[' => depth < MaxDepth && Array(depth + 1),
        (byte)'"' => String(_json, _out, ref _next, ref _length),
        (byte)'t' => Literal("true"u8),
        (byte)'f' => Literal("false"u8),
        (byte)'n' => Literal("null"u8),
        _ => Number(),
    };

    // Arrays and objects keep both texts and the positions in them in local variables, which the compiler holds in registers: most of a document is strings in
    // objects, and the positions change with every few bytes. The fields have them whenever another method runs.

    private bool Array(int depth)
    {
        var json = _json;
        var output = _out;
        var (next, length) = (_next, _length);
        output[length++] = (byte)'[';
        next = AfterWhiteSpace(json, next + 1);
        if (At(json, next) != ']')
        {
            while (true)
            {
                if (!Value(depth, json, output, ref next, ref length))
                {
                    return false;
                }

                next = AfterWhiteSpace(json, next);
                if (At(json, next) != ',')
                {
                    break;
                }

                output[length++] = (byte)',';
                next = AfterWhiteSpace(json, next + 1);
            }
        }

        if (At(json, next) != ']')
        {
            return false;
        }

        output[length++] = (byte)']';
        (_next, _length) = (next + 1, length);
        return true;
    }

    private bool Object(int depth)
    {
        var json = _json;
        var output = _out;
        var (next, length) = (_next, _length);
        var first = _memberCount;
        var sorted = true;
        output[length++] = (byte)'{';
        next = AfterWhiteSpace(json, next + 1);
        if (At(json, next) != '}')
        {
            while (true)
            {
                var start = length;
                if (At(json, next) != '"' || !String(json, output, ref next, ref length))
                {
                    return false;
                }

                var member = new Member(start, length, 0);
                if (_memberCount > first)
                {
                    var order = CompareNames(output, _members[_memberCount - 1], member);
                    if (order == 0)
                    {
                        return false; // a duplicate name
                    }

                    sorted &= order < 0;
                }

                // The place is taken before the value is written: the members of an object inside it come after, and are gone when it ends.
                var index = _memberCount;
                Push(member);
                next = AfterWhiteSpace(json, next);
                if (At(json, next) != ':')
                {
                    return false;
                }

                output[length++] = (byte)':';
                next = AfterWhiteSpace(json, next + 1);
                if (!Value(depth, json, output, ref next, ref length))
                {
                    return false;
                }

                _members[index].End = length;
                next = AfterWhiteSpace(json, next);
                if (At(json, next) != ',')
                {
                    break;
                }

                output[length++] = (byte)',';
                next = AfterWhiteSpace(json, next + 1);
            }
        }

        if (At(json, next) != '}')
        {
            return false;
        }

        var members = _members.AsSpan(first, _memberCount - first);
        _memberCount = first;
        if (!sorted && !Sort(members))
        {
            return false;
        }

        output[length++] = (byte)'}';
        (_next, _length) = (next + 1, length);
        return true;
    }

    /// <summary>A value inside an array or an object, whose positions are in local variables.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Value(int depth, ReadOnlySpan<byte> json, Span<byte> output, ref int next, ref int length)
    {
        if (At(json, next) == '"')
        {
            return String(json, output, ref next, ref length);
        }

        (_next, _length) = (next, length);
        var isValue = Value(depth);
        (next, length) = (_next, _length);
        return isValue;
    }

    /// <summary>Sorts the members of the object that was just written.</summary>
    /// <returns>False if two have the same name.</returns>
    private bool Sort(Span<Member> members)
    {
        var start = members[0].Start;
        var end = members[^1].End;
        if (members.Length <= 16)
        {
            InsertionSort(members);
        }
        else
        {
            HeapSort(members);
        }

        for (var i = 1; i < members.Length; i++)
        {
            if (CompareNames(_out, members[i - 1], members[i]) == 0)
            {
                return false;
            }
        }

        _scratch ??= ArrayPool<byte>.Shared.Rent(_out.Length);
        _out[start..end].CopyTo(_scratch.AsSpan(start));
        var to = start;
        foreach (var member in members)
        {
            if (to > start)
            {
                _out[to++] = (byte)',';
            }

            _scratch.AsSpan(member.Start, member.End - member.Start).CopyTo(_out[to..]);
            to += member.End - member.Start;
        }

        return true;
    }

    private readonly void InsertionSort(Span<Member> members)
    {
        for (var i = 1; i < members.Length; i++)
        {
            var member = members[i];
            var j = i;
            for (; j > 0 && CompareNames(_out, members[j - 1], member) > 0; j--)
            {
                members[j] = members[j - 1];
            }

            members[j] = member;
        }
    }

    // Not Span.Sort, which allocates a delegate for every call, that is, for every unsorted object of a body.
    private readonly void HeapSort(Span<Member> members)
    {
        for (var i = (members.Length / 2) - 1; i >= 0; i--)
        {
            SiftDown(members, i);
        }

        for (var last = members.Length - 1; last > 0; last--)
        {
            (members[0], members[last]) = (members[last], members[0]);
            SiftDown(members[..last], 0);
        }
    }

    private readonly void SiftDown(Span<Member> members, int parent)
    {
        while (true)
        {
            var child = (2 * parent) + 1;
            if (child >= members.Length)
            {
                return;
            }

            if (child + 1 < members.Length && CompareNames(_out, members[child], members[child + 1]) < 0)
            {
                child++;
            }

            if (CompareNames(_out, members[parent], members[child]) >= 0)
            {
                return;
            }

            (members[parent], members[child]) = (members[child], members[parent]);
            parent = child;
        }
    }

    /// <summary>Compares two names as they were written, by their bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int CompareNames(ReadOnlySpan<byte> output, Member left, Member right)
    {
        // Most names differ in their first byte. An empty one has none: what stands there is its closing quote.
        var order = output[left.Start + 1] - output[right.Start + 1];
        return order != 0 && left.NameEnd - left.Start > 2 && right.NameEnd - right.Start > 2 ? order : CompareWholeNames(output, left, right);
    }

    // Without the quotes: a closing quote would sort before a longer name's next character in most cases, but not before '!' or a space.
    private static int CompareWholeNames(ReadOnlySpan<byte> output, Member left, Member right) =>
        output[(left.Start + 1)..(left.NameEnd - 1)].SequenceCompareTo(output[(right.Start + 1)..(right.NameEnd - 1)]);

    /// <summary>Writes a string, from its opening quote on.</summary>
    /// <remarks>Sixteen bytes at a time are copied, and looked at together for what ends plain text: most strings are no longer, and a call for each would cost more than the copy.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool String(ReadOnlySpan<byte> json, Span<byte> output, ref int next, ref int length)
    {
        output[length++] = (byte)'"';
        next++;
        while (json.Length - next >= Vector128<byte>.Count)
        {
            var block = Vector128.Create(json.Slice(next, Vector128<byte>.Count));
            block.CopyTo(output[length..]); // there is room, as TryAppend says: twice what is left of the text, and 16
            var ends = (Vector128.Equals(block, Vector128.Create((byte)'"'))
                | Vector128.Equals(block, Vector128.Create((byte)'\\'))
                | Vector128.LessThan(block, Vector128.Create((byte)' '))).ExtractMostSignificantBits();
            var plain = ends == 0 ? Vector128<byte>.Count : BitOperations.TrailingZeroCount(ends);
            next += plain;
            length += plain;
            if (ends != 0)
            {
                if (json[next] != '"')
                {
                    break;
                }

                output[length++] = (byte)'"';
                next++;
                return true;
            }
        }

        (_next, _length) = (next, length);
        var ended = RestOfString();
        (next, length) = (_next, _length);
        return ended;
    }

    /// <summary>Writes a string from any place inside it on.</summary>
    private bool RestOfString()
    {
        while (true)
        {
            var rest = _json[_next..];
            var plain = rest.IndexOfAny(EndsPlainText);
            if (plain < 0)
            {
                return false;
            }

            rest[..plain].CopyTo(_out[_length..]);
            _length += plain;
            _next += plain;
            if (rest[plain] == '"')
            {
                Copy();
                return true;
            }

            if (rest[plain] != '\\' || !Escape())
            {
                return false;
            }
        }
    }

    private bool Escape()
    {
        _next++; // \
        var kind = Peek();
        _next++;
        switch (kind)
        {
            case '"' or '\\' or '/': Write((char)kind); return true;
            case 'b': Write('\b'); return true;
            case 't': Write('\t'); return true;
            case 'n': Write('\n'); return true;
            case 'f': Write('\f'); return true;
            case 'r': Write('\r'); return true;
            case 'u': return UnicodeEscape();
            default: return false;
        }
    }

    private bool UnicodeEscape()
    {
        if (!Hex(out var first) || char.IsLowSurrogate(first))
        {
            return false;
        }

        if (!char.IsHighSurrogate(first))
        {
            Write(first);
            return true;
        }

        if (!_json[_next..].StartsWith("\\u"u8))
        {
            return false;
        }

        _next += 2;
        if (!Hex(out var second) || !char.IsLowSurrogate(second))
        {
            return false;
        }

        _length += new Rune(first, second).EncodeToUtf8(_out[_length..]);
        return true;
    }

    private bool Hex(out char value)
    {
        value = default;
        if (_json.Length - _next < 4 || !Utf8Parser.TryParse(_json.Slice(_next, 4), out ushort unit, out var used, 'x') || used != 4)
        {
            return false;
        }

        _next += 4;
        value = (char)unit;
        return true;
    }

    /// <summary>Writes one character that is not a surrogate, by rule 4.</summary>
    private void Write(char character)
    {
        var escaped = character switch
        {
            '"' => "\\\""u8,
            '\\' => "\\\\"u8,
            '\b' => "\\b"u8,
            '\t' => "\\t"u8,
            '\n' => "\\n"u8,
            '\f' => "\\f"u8,
            '\r' => "\\r"u8,
            _ => default,
        };
        if (!escaped.IsEmpty)
        {
            Append(escaped);
        }
        else if (character < 0x20)
        {
            Append("\\u00"u8);
            _out[_length++] = (byte)('0' + (character >> 4));
            _out[_length++] = (byte)"0123456789abcdef"[character & 0xF];
        }
        else
        {
            _length += new Rune(character).EncodeToUtf8(_out[_length..]);
        }
    }

    private bool Number()
    {
        var start = _next;
        var negative = Peek() == '-';
        if (negative)
        {
            _next++;
        }

        var whole = Digits();
        if (whole.IsEmpty || (whole.Length > 1 && whole[0] == '0'))
        {
            return false;
        }

        if (Peek() is not ('.' or 'e' or 'E') && whole[^1] != '0')
        {
            Append(_json[start.._next]); // most numbers are integers in their final form
            return true;
        }

        ReadOnlySpan<byte> fraction = default;
        if (Peek() == '.')
        {
            _next++;
            fraction = Digits();
            if (fraction.IsEmpty)
            {
                return false;
            }

            if (whole[0] != '0' && fraction[^1] != '0' && fraction.Length < 10 && Peek() is not ('e' or 'E'))
            {
                // Most others: an amount.
                Append(_json.Slice(start, _next - start - fraction.Length - 1));
                Append(fraction);
                Append("e-"u8);
                _out[_length++] = (byte)('0' + fraction.Length);
                return true;
            }
        }

        long exponent = 0;
        if (Peek() is 'e' or 'E' && !Exponent(out exponent))
        {
            return false;
        }

        // The value is the digits of both parts, read as one integer, times ten to the exponent. Leading and trailing zeros are removed.
        exponent -= fraction.Length;
        var trailing = fraction.Length - fraction.TrimEnd((byte)'0').Length;
        fraction = fraction[..^trailing];
        exponent += trailing;
        if (fraction.IsEmpty)
        {
            trailing = whole.Length - whole.TrimEnd((byte)'0').Length;
            whole = whole[..^trailing];
            exponent += trailing;
        }

        whole = whole.TrimStart((byte)'0');
        if (whole.IsEmpty)
        {
            fraction = fraction.TrimStart((byte)'0');
            if (fraction.IsEmpty)
            {
                _out[_length++] = (byte)'0'; // -0 and 0e9 too
                return true;
            }
        }

        if (negative)
        {
            _out[_length++] = (byte)'-';
        }

        Append(whole);
        Append(fraction);
        if (exponent != 0)
        {
            _out[_length++] = (byte)'e';
            Utf8Formatter.TryFormat(exponent, _out[_length..], out var written);
            _length += written;
        }

        return true;
    }

    private bool Exponent(out long exponent)
    {
        _next++; // e
        var negative = Peek() == '-';
        if (Peek() is '-' or '+')
        {
            _next++;
        }

        var digits = Digits();
        if (digits.IsEmpty)
        {
            exponent = 0;
            return false;
        }

        digits = digits.TrimStart((byte)'0');
        exponent = 0;
        if (digits.Length > 10)
        {
            return false;
        }

        foreach (var digit in digits)
        {
            exponent = (exponent * 10) + (digit - '0');
        }

        exponent = negative ? -exponent : exponent;
        return exponent is >= int.MinValue and <= int.MaxValue;
    }

    private ReadOnlySpan<byte> Digits()
    {
        var start = _next;
        while (Peek() is >= '0' and <= '9')
        {
            _next++;
        }

        return _json[start.._next];
    }

    private bool Literal(ReadOnlySpan<byte> literal)
    {
        if (!_json[_next..].StartsWith(literal))
        {
            return false;
        }

        Append(literal);
        _next += literal.Length;
        return true;
    }

    private void SkipWhiteSpace() => _next = AfterWhiteSpace(_json, _next);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int AfterWhiteSpace(ReadOnlySpan<byte> json, int next) => At(json, next) > ' ' ? next : AfterMoreWhiteSpace(json, next);

    private static int AfterMoreWhiteSpace(ReadOnlySpan<byte> json, int next)
    {
        while (At(json, next) is ' ' or '\t' or '\n' or '\r')
        {
            next++;
        }

        return next;
    }

    /// <summary>The next byte, or -1 at the end.</summary>
    private readonly int Peek() => At(_json, _next);

    /// <summary>The byte at a place, or -1 at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int At(ReadOnlySpan<byte> json, int place) => (uint)place < (uint)json.Length ? json[place] : -1;

    private void Copy() => _out[_length++] = _json[_next++];

    private void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_out[_length..]);
        _length += bytes.Length;
    }

    private void Push(Member member)
    {
        if (_memberCount == _members.Length)
        {
            var larger = ArrayPool<Member>.Shared.Rent(2 * _members.Length);
            _members.CopyTo(larger, 0);
            ArrayPool<Member>.Shared.Return(_members);
            _members = larger;
        }

        _members[_memberCount++] = member;
    }
}
