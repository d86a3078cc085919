using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore.Tests;

/// <summary>One form for equal JSON texts, and different ones for different: with <see cref="JsonElement.DeepEquals"/> as the judge.</summary>
public sealed class CanonicalJsonTests
{
    private static string? Canonical(string json) => Canonical(Encoding.UTF8.GetBytes(json));

    private static string? Canonical(byte[] json)
    {
        var output = new PooledBytes(16);
        try
        {
            return CanonicalJson.TryAppend(json, ref output) ? Encoding.UTF8.GetString(output.Written) : null;
        }
        finally
        {
            output.Dispose();
        }
    }

    [Theory]
    [InlineData("1", "1")]
    [InlineData("-1.50", "-15e-1")]
    [InlineData("100", "1e2")]
    [InlineData("0", "0")]
    [InlineData("-0.000", "0")]
    [InlineData("0e2147483647", "0")]
    [InlineData("0.00123", "123e-5")]
    [InlineData("1200e-2", "12")]
    [InlineData("10.010", "1001e-2")]
    [InlineData("1e2147483647", "1e2147483647")]
    [InlineData("1.5e-2147483647", "15e-2147483648")]
    [InlineData("\"\\u0000\\u001F\\b\\t\\n\\f\\r\\\"\\\\\\/\\u007f\"", "\"\\u0000\\u001f\\b\\t\\n\\f\\r\\\"\\\\/\u007f\"")]
    [InlineData(" [ ] ", "[]")]
    [InlineData(" { } ", "{}")]
    [InlineData("{\"b\":1,\"a\":{\"d\":[{\"y\":1,\"x\":2}],\"c\":null},\"\":true}", "{\"\":true,\"a\":{\"c\":null,\"d\":[{\"x\":2,\"y\":1}]},\"b\":1}")]
    [InlineData("{\"a!\":1,\"a\":2,\"a \":3}", "{\"a\":2,\"a \":3,\"a!\":1}")]
    public void The_form_is_what_the_rules_say(string json, string canonical) => Assert.Equal(canonical, Canonical(json));

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("{\"a\":1,\"a\":1}")]
    [InlineData("{\"a\":1,\"b\":1,\"\\u0061\":1}")]
    [InlineData("\"\\ud800\"")]
    [InlineData("\"\\ud800\\u0041\"")]
    [InlineData("\"\\ud800x\"")]
    [InlineData("\"\\udc00\\ud800\"")]
    [InlineData("1 2")]
    [InlineData("{} []")]
    [InlineData("[1,]")]
    [InlineData("[,1]")]
    [InlineData("{\"a\":1,}")]
    [InlineData("{a:1}")]
    [InlineData("{\"a\"}")]
    [InlineData("{\"a\":}")]
    [InlineData("01")]
    [InlineData("-")]
    [InlineData("+1")]
    [InlineData(".5")]
    [InlineData("1.")]
    [InlineData("1e")]
    [InlineData("1e+")]
    [InlineData("1e99999999999")]
    [InlineData("1e2147483648")]
    [InlineData("NaN")]
    [InlineData("tru")]
    [InlineData("truex")]
    [InlineData("nul")]
    [InlineData("\"a")]
    [InlineData("\"a\\")]
    [InlineData("\"\\x\"")]
    [InlineData("\"\\u12g4\"")]
    [InlineData("\"\\u+123\"")]
    [InlineData("\"\\u123\"")]
    [InlineData("\"a\nb\"")]
    [InlineData("[1")]
    [InlineData("{\"a\":1")]
    [InlineData("// comment\n1")]
    [InlineData("\uFEFF1")]
    public void What_is_ambiguous_or_no_JSON_has_no_form(string json) => Assert.Null(Canonical(json));

    [Fact]
    public void Invalid_UTF8_and_more_than_64_levels_have_no_form()
    {
        Assert.Null(Canonical([(byte)'"', 0xC3, (byte)'"']));
        Assert.Null(Canonical([(byte)'"', 0xED, 0xA0, 0x80, (byte)'"'])); // a surrogate in UTF-8
        Assert.NotNull(Canonical(new string('[', 64) + new string(']', 64)));
        Assert.Null(Canonical(new string('[', 65) + new string(']', 65)));
    }

    [Fact]
    public void Two_random_documents_have_one_form_exactly_when_they_are_equal()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var equal = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var tree = RandomTree(random, 0);
            var left = Write(tree, random);
            var right = Write(random.Next(2) == 0 ? tree : Mutate(tree, random), random);
            using var leftDocument = JsonDocument.Parse(left);
            using var rightDocument = JsonDocument.Parse(right);
            var expected = JsonElement.DeepEquals(leftDocument.RootElement, rightDocument.RootElement);
            var actual = Canonical(left) == Canonical(right);
            Assert.True(expected == actual, $"seed {seed}, document {i}: DeepEquals is {expected}\n{left}\n{right}\n{Canonical(left)}\n{Canonical(right)}");
            Assert.NotNull(Canonical(left));
            equal += expected ? 1 : 0;
        }

        Assert.InRange(equal, 5_000, 19_000); // both kinds were tried
    }

    [Fact]
    public void Whatever_the_parser_refuses_has_no_form_and_whatever_it_accepts_has_one_unless_ambiguous()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var i = 0; i < 50_000; i++)
        {
            var bytes = Encoding.UTF8.GetBytes(Write(RandomTree(random, 1), random));
            for (var damage = random.Next(3); damage > 0 && bytes.Length > 0; damage--)
            {
                bytes[random.Next(bytes.Length)] = (byte)Damage[random.Next(Damage.Length)];
            }

            var isJson = IsUnambiguousJson(bytes);
            Assert.True(isJson == (Canonical(bytes) is not null), $"seed {seed}, text {i}: JSON is {isJson}\n{Encoding.UTF8.GetString(bytes)}");
        }
    }

    [Theory]
    [InlineData("\\\"", "\\\"")]
    [InlineData("\\u00e9", "é")]
    [InlineData("é", "é")]
    [InlineData("\\/", "/")]
    [InlineData("\\u0001", "\\u0001")]
    public void A_string_is_written_alike_wherever_something_stands_in_it(string written, string canonical)
    {
        for (var before = 0; before <= 40; before++)
        {
            for (var after = 0; after <= 40; after++)
            {
                var (start, end) = (new string('a', before), new string('z', after));
                Assert.Equal($$"""{"{{start}}{{canonical}}{{end}}":"{{end}}{{canonical}}{{start}}"}""", Canonical($$"""{ "{{start}}{{written}}{{end}}" : "{{end}}{{written}}{{start}}" }"""));
            }
        }
    }

    [Theory]
    [InlineData("\u0001")]
    [InlineData("\n")]
    [InlineData("\\x")]
    [InlineData("\\ud800")]
    public void A_string_with_something_wrong_in_it_has_no_form_wherever_that_stands(string wrong)
    {
        for (var before = 0; before <= 40; before++)
        {
            Assert.Null(Canonical($"[\"{new string('a', before)}{wrong}\"]"));
            Assert.Null(Canonical($"[\"{new string('a', before)}")); // and one that does not end
        }
    }

    [Fact]
    public void A_form_is_its_own_form()
    {
        var random = new Random(5);
        for (var i = 0; i < 2000; i++)
        {
            var canonical = Canonical(Write(RandomTree(random, 0), random));
            Assert.Equal(canonical, Canonical(canonical!));
        }
    }

    [Fact]
    public void Hostile_documents_take_no_longer_than_others_of_their_size()
    {
        var names = Enumerable.Range(0, 100_000).Reverse().Select(i => $"\"{i:D6}\":0");
        var wide = "{" + string.Join(",", names) + "}";
        var deep = string.Concat(Enumerable.Repeat("{\"b\":1,\"a\":", 63)) + wide + new string('}', 63);
        var samePrefix = "{" + string.Join(",", Enumerable.Range(0, 1000).Reverse().Select(i => $"\"{new string('x', 1000)}{i:D4}\":0")) + "}";
        var longNumber = "[" + new string('9', 1_000_000) + "e5]";
        var escapes = "\"" + string.Concat(Enumerable.Repeat("\\u0041", 150_000)) + "\"";
        foreach (var json in new[] { wide, deep, samePrefix, longNumber, escapes })
        {
            Assert.NotNull(Canonical(json));
        }

        Assert.Equal("{\"000000\":0,\"000001\":0", Canonical(wide)![..22]);
    }

    private const string Damage = "{}[]\":,\\u0019eE+-. \t\nabtfn/\0\u007f";

    private static bool IsUnambiguousJson(byte[] bytes)
    {
        try
        {
            using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
            Visit(document.RootElement);
            return true;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or ArgumentOutOfRangeException)
        {
            return false;
        }

        static void Visit(JsonElement element)
        {
            switch (element.ValueKind)
            {
                case JsonValueKind.Object:
                    foreach (var member in element.EnumerateObject())
                    {
                        _ = member.Name;
                        Visit(member.Value);
                    }

                    break;
                case JsonValueKind.Array:
                    foreach (var item in element.EnumerateArray())
                    {
                        Visit(item);
                    }

                    break;
                case JsonValueKind.String:
                    _ = element.GetString();
                    break;
                case JsonValueKind.Number:
                    _ = JsonElement.DeepEquals(element, element); // throws for an exponent it cannot hold
                    break;
            }
        }
    }

    // A tree of values: object[] of pairs, List of items, string, decimal text, bool or null.
    private static object? RandomTree(Random random, int depth) => random.Next(depth > 4 ? 4 : 7) switch
    {
        0 => RandomText(random),
        1 => RandomNumber(random),
        2 => random.Next(2) == 0,
        3 => null,
        4 => Enumerable.Range(0, random.Next(5)).Select(_ => RandomTree(random, depth + 1)).ToList(),
        _ => Enumerable.Range(0, random.Next(30) == 0 ? 40 : random.Next(5)).Select(_ => RandomText(random)).Distinct().Select(name => KeyValuePair.Create(name, RandomTree(random, depth + 1))).ToArray(),
    };

    private static string RandomText(Random random)
    {
        string[] pieces = ["a", "b", "ab", "A", "\"", "\\", "/", "\n", "\0", "\u001f", "ä", "€", "😀", " ", "!", "\u2028", "\u007f", "}", ","];
        return string.Concat(Enumerable.Range(0, random.Next(4)).Select(_ => pieces[random.Next(pieces.Length)]));
    }

    private static Number RandomNumber(Random random) => new(
        random.Next(3) == 0,
        string.Concat(Enumerable.Range(0, random.Next(1, 6)).Select(_ => random.Next(2) == 0 ? '0' : (char)('0' + random.Next(10)))),
        random.Next(4) == 0 ? random.Next(-30, 30) : random.Next(-2, 3));

    /// <summary>Digits times ten to the exponent.</summary>
    private sealed record Number(bool Negative, string Digits, int Exponent);

    private static object? Mutate(object? tree, Random random) => tree switch
    {
        List<object?> { Count: > 0 } list when random.Next(4) > 0 => list.Select((item, i) => i == random.Next(list.Count) ? Mutate(item, random) : item).ToList(),
        KeyValuePair<string, object?>[] { Length: > 0 } members when random.Next(4) > 0 => members.Select((member, i) => i == 0 ? KeyValuePair.Create(member.Key, Mutate(member.Value, random)) : member).ToArray(),
        Number number => random.Next(4) switch
        {
            0 => number with { Negative = !number.Negative },
            1 => number with { Exponent = number.Exponent + 1 },
            2 => number with { Digits = number.Digits + "0", Exponent = number.Exponent - 1 },
            _ => number with { Digits = number.Digits + "1" },
        },
        string text => text + "a",
        bool value => !value,
        _ => RandomTree(random, 3),
    };

    private static string Write(object? tree, Random random)
    {
        var json = new StringBuilder();
        Write(tree, json);
        return json.ToString();

        void Space() => json.Append(random.Next(8) == 0 ? new[] { " ", "\n", "\t ", "\r\n" }[random.Next(4)] : "");

        void Write(object? value, StringBuilder _)
        {
            Space();
            switch (value)
            {
                case null: json.Append("null"); break;
                case bool flag: json.Append(flag ? "true" : "false"); break;
                case string text: WriteText(text); break;
                case Number number: WriteNumber(number); break;
                case List<object?> list:
                    json.Append('[');
                    for (var i = 0; i < list.Count; i++)
                    {
                        json.Append(i > 0 ? "," : "");
                        Write(list[i], json);
                    }

                    json.Append(']');
                    break;
                case KeyValuePair<string, object?>[] members:
                    json.Append('{');
                    Space();
                    var shuffled = members.ToArray();
                    random.Shuffle(shuffled);
                    for (var i = 0; i < shuffled.Length; i++)
                    {
                        json.Append(i > 0 ? "," : "");
                        Space();
                        WriteText(shuffled[i].Key);
                        Space();
                        json.Append(':');
                        Write(shuffled[i].Value, json);
                    }

                    json.Append('}');
                    break;
                default: throw new UnreachableException();
            }

            Space();
        }

        void WriteText(string text)
        {
            json.Append('"');
            foreach (var rune in text.EnumerateRunes())
            {
                var mustEscape = rune.Value is '"' or '\\' or < ' ';
                if (!mustEscape && random.Next(3) > 0)
                {
                    json.Append(rune.ToString());
                }
                else if (rune.Value is '"' or '\\' or '/' && random.Next(2) == 0)
                {
                    json.Append('\\').Append(rune.ToString());
                }
                else
                {
                    foreach (var unit in rune.ToString())
                    {
                        json.Append("\\u").Append(((int)unit).ToString(random.Next(2) == 0 ? "x4" : "X4", CultureInfo.InvariantCulture));
                    }
                }
            }

            json.Append('"');
        }

        void WriteNumber(Number number)
        {
            var digits = number.Digits.TrimStart('0');
            digits = digits.Length == 0 ? "0" : digits;
            json.Append(number.Negative ? "-" : "");
            var exponent = number.Exponent;
            switch (random.Next(3))
            {
                case 0 when digits.Length > 1:
                    json.Append(digits[..1]).Append('.').Append(digits[1..]);
                    exponent += digits.Length - 1;
                    break;
                case 1:
                    json.Append("0.").Append(digits);
                    exponent += digits.Length;
                    break;
                default:
                    json.Append(digits);
                    break;
            }

            if (exponent != 0 || random.Next(4) == 0)
            {
                json.Append(random.Next(2) == 0 ? 'e' : 'E').Append(exponent >= 0 && random.Next(2) == 0 ? "+" : "").Append(exponent.ToString(CultureInfo.InvariantCulture));
            }
        }
    }
}
