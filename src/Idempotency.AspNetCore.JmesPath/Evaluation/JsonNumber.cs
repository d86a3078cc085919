using System.Globalization;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>A number with its exact digits: as a floating-point number, 9007199254740993 would be 9007199254740992, and 1e400 could not be represented.</summary>
internal readonly ref struct JsonNumber
{
    // Larger exponents are limited to this one. No meaningful number has them, and arithmetic on them does not overflow.
    private const long FarthestExponent = 100_000_000_000_000_000;

    private readonly ReadOnlySpan<byte> _mantissa; // Digits, with or without a decimal point; no sign.
    private readonly int _first;                   // The position of the first digit that is not 0.
    private readonly int _end;                     // The position after the last digit that is not 0.

    public JsonNumber(ReadOnlySpan<byte> digits)
    {
        IsNegative = digits[0] == '-';
        digits = IsNegative ? digits[1..] : digits;
        var e = digits.IndexOfAny((byte)'e', (byte)'E');
        _mantissa = e < 0 ? digits : digits[..e];
        var point = _mantissa.IndexOf((byte)'.');
        _first = _mantissa.IndexOfAnyInRange((byte)'1', (byte)'9');
        IsZero = _first < 0;
        _end = _mantissa.LastIndexOfAnyInRange((byte)'1', (byte)'9') + 1;
        var exponent = e < 0 ? 0 : Exponent(digits[(e + 1)..]);

        // The powers of ten of the first and the last digit.
        var integers = point < 0 ? _mantissa.Length : point;
        Leading = exponent + integers - (_first < integers ? _first + 1 : _first);
        Trailing = exponent + integers - (_end <= integers ? _end : _end - 1);
    }

    public bool IsNegative { get; }

    public bool IsZero { get; }

    public bool IsInteger => IsZero || Trailing >= 0;

    private long Leading { get; }

    private long Trailing { get; }

    /// <summary>Creates a computed number: an integer if it has no fraction, otherwise in the shortest form that reads back as the same value.</summary>
    public static Value Of(double value, int position)
    {
        if (!double.IsFinite(value))
        {
            throw new JmesPathException(JmesPathError.InvalidValue, position, "The result is outside the range of numbers that can be computed.");
        }

        return Parse(value == 0 ? "0" : value.ToString(Math.Abs(value) < 1e21 && double.IsInteger(value) ? "F0" : "R", CultureInfo.InvariantCulture));
    }

    public static Value Of(Int128 value) => Parse(value.ToString(CultureInfo.InvariantCulture));

    public static Value Parse(ReadOnlySpan<char> digits) => new(JsonElement.Parse(digits));

    public static double ToDouble(ReadOnlySpan<byte> digits) => double.Parse(digits, NumberStyles.Float, CultureInfo.InvariantCulture);

    /// <summary>Rounds to the next integer towards positive (<paramref name="up"/>) or negative infinity. Exact; an integer keeps its notation.</summary>
    public static Value Round(Value number, bool up)
    {
        var parsed = new JsonNumber(number.Digits);
        if (parsed.IsInteger)
        {
            return number;
        }

        // There is a digit after the point, so the integer part has no more digits than were written.
        var magnitude = new char[Math.Max(parsed.Leading + 1, 1) + 1];
        magnitude[0] = '0';
        magnitude[1] = '0';
        for (int i = parsed._first, n = 1; n < magnitude.Length && parsed.Leading >= 0; i++)
        {
            if (parsed._mantissa[i] != '.')
            {
                magnitude[n++] = (char)parsed._mantissa[i];
            }
        }

        if (up != parsed.IsNegative)
        {
            var digit = magnitude.Length - 1;
            while (magnitude[digit] == '9')
            {
                magnitude[digit--] = '0';
            }

            magnitude[digit]++;
        }

        var digits = magnitude.AsSpan().TrimStart('0');
        return digits.IsEmpty ? Parse("0") : Parse(parsed.IsNegative ? $"-{digits}" : digits);
    }

    public static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        var a = new JsonNumber(left);
        var b = new JsonNumber(right);
        if (a.Sign != b.Sign || a.IsZero)
        {
            return a.Sign.CompareTo(b.Sign);
        }

        var magnitude = a.Leading.CompareTo(b.Leading);
        return a.Sign * (magnitude != 0 ? magnitude : CompareDigits(a, b));
    }

    private int Sign => IsZero ? 0 : IsNegative ? -1 : 1;

    private static int CompareDigits(JsonNumber a, JsonNumber b)
    {
        int i = a._first, j = b._first;
        while (true)
        {
            i += i < a._end && a._mantissa[i] == '.' ? 1 : 0;
            j += j < b._end && b._mantissa[j] == '.' ? 1 : 0;
            if (i >= a._end || j >= b._end)
            {
                return (a._end - i).CompareTo(b._end - j) is var longer && i >= a._end && j >= b._end ? 0 : longer;
            }

            var digits = a._mantissa[i++].CompareTo(b._mantissa[j++]);
            if (digits != 0)
            {
                return digits;
            }
        }
    }

    private static long Exponent(ReadOnlySpan<byte> digits)
    {
        var negative = digits[0] == '-';
        digits = digits[0] is (byte)'-' or (byte)'+' ? digits[1..] : digits;
        var exponent = 0L;
        foreach (var digit in digits)
        {
            exponent = Math.Min((exponent * 10) + digit - '0', FarthestExponent);
        }

        return negative ? -exponent : exponent;
    }
}
