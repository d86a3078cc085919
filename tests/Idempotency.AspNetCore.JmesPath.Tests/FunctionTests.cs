using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore.JmesPath.Tests;

/// <summary>The functions, one by one: what they give, what they take, and how many of it.</summary>
public sealed class FunctionTests
{
    private const string Data =
        """
        {"n": -3, "half": 2.5, "numbers": [3, -1, 2.5], "ints": [1, 2, 3], "s": "Grüße 😀", "ab": "abcab", "strings": ["b", "a", "C"], "mixed": [1, "a"], "empty": [], "none": null,
         "flag": true, "o": {"b": 2, "a": 1}, "nothing": {}, "people": [{"n": "Bo", "age": 30}, {"n": "Al", "age": 20}, {"n": "Cy", "age": 30}], "nested": [[1], [2, [3]]]}
        """;

    [Theory]
    [InlineData("abs(n)", "3")]
    [InlineData("abs(half)", "2.5")]
    [InlineData("abs(`-0`)", "0")]
    [InlineData("abs(`-9007199254740993`)", "9007199254740993")]
    [InlineData("abs(`-1e400`)", "1e400")]
    [InlineData("abs(s)", "error: invalid-type")]
    [InlineData("abs(none)", "error: invalid-type")]
    [InlineData("abs()", "error: invalid-arity")]
    [InlineData("abs(n, n)", "error: invalid-arity")]
    [InlineData("avg(ints)", "2")]
    [InlineData("avg(numbers)", "1.5")]
    [InlineData("avg(empty)", "null")]
    [InlineData("avg(mixed)", "error: invalid-type")]
    [InlineData("avg(n)", "error: invalid-type")]
    [InlineData("avg(@)", "error: invalid-type")]
    [InlineData("ceil(half)", "3")]
    [InlineData("ceil(`1.001`)", "2")]
    [InlineData("ceil(`-1.9`)", "-1")]
    [InlineData("ceil(`-0.5`)", "0")]
    [InlineData("ceil(`1e-30`)", "1")]
    [InlineData("ceil(`9.5`)", "10")]
    [InlineData("ceil(`7`)", "7")]
    [InlineData("ceil(`1.0`)", "1.0")]
    [InlineData("ceil(`9007199254740993.5`)", "9007199254740994")]
    [InlineData("ceil(`1.5e1`)", "1.5e1")]
    [InlineData("ceil(`12.345e2`)", "1235")]
    [InlineData("ceil(s)", "error: invalid-type")]
    [InlineData("floor(half)", "2")]
    [InlineData("floor(`1.9`)", "1")]
    [InlineData("floor(`-1.001`)", "-2")]
    [InlineData("floor(`0.99999999999999999999`)", "0")]
    [InlineData("floor(`-1e-30`)", "-1")]
    [InlineData("floor(`-99.5`)", "-100")]
    [InlineData("floor(`1e400`)", "1e400")]
    [InlineData("floor(`12.345e1`)", "123")]
    [InlineData("floor(none)", "error: invalid-type")]
    public void Numbers_are_rounded_exactly(string expression, string expected) => Assert.Equal(expected, Table.Run(expression, Data));

    [Theory]
    [InlineData("sum(ints)", "6")]
    [InlineData("sum(numbers)", "4.5")]
    [InlineData("sum(empty)", "0")]
    [InlineData("sum(`[9007199254740993, 1]`)", "9007199254740994")]
    [InlineData("sum(`[9223372036854775807, 9223372036854775807]`)", "18446744073709551614")]
    [InlineData("sum(`[1e20]`)", "100000000000000000000")]
    [InlineData("sum(`[1e21]`)", "1E+21")]
    [InlineData("sum(`[0.1, 0.2]`)", "0.30000000000000004")]
    [InlineData("sum(`[1.5, 1.5]`)", "3")]
    [InlineData("sum(`[-0.0]`)", "0")]
    [InlineData("sum(`[1e308, 1e308]`)", "error: invalid-value")]
    [InlineData("sum(`[1e400]`)", "error: invalid-value")]
    [InlineData("avg(`[1e400, -1e400]`)", "error: invalid-value")]
    [InlineData("avg(`[1, 2]`)", "1.5")]
    [InlineData("sum(mixed)", "error: invalid-type")]
    [InlineData("sum(mixed[].to_number(@))", "1")]
    [InlineData("sum(none)", "error: invalid-type")]
    public void Sums_are_exact_for_integers_and_always_finite(string expression, string expected) => Assert.Equal(expected, Table.Run(expression, Data));

    [Theory]
    [InlineData("contains(ab, 'bca')", "true")]
    [InlineData("contains(ab, 'x')", "false")]
    [InlineData("contains(ab, '')", "true")]
    [InlineData("contains(ab, `1`)", "false")]
    [InlineData("contains(strings, 'a')", "true")]
    [InlineData("contains(strings, 'A')", "false")]
    [InlineData("contains(ints, `2.0`)", "true")]
    [InlineData("contains(nested, `[1]`)", "true")]
    [InlineData("contains(empty, none)", "false")]
    [InlineData("contains(flag, 'a')", "error: invalid-type")]
    [InlineData("contains(o, 'a')", "error: invalid-type")]
    [InlineData("contains(ab)", "error: invalid-arity")]
    [InlineData("starts_with(ab, 'ab')", "true")]
    [InlineData("starts_with(ab, 'b')", "false")]
    [InlineData("starts_with(ab, '')", "true")]
    [InlineData("starts_with(ab, n)", "error: invalid-type")]
    [InlineData("starts_with(n, 'a')", "error: invalid-type")]
    [InlineData("ends_with(ab, 'ab')", "true")]
    [InlineData("ends_with(ab, 'abcabc')", "false")]
    [InlineData("ends_with(s, '😀')", "true")]
    [InlineData("ends_with(ab, `0`)", "error: invalid-type")]
    [InlineData("join('-', strings)", "\"b-a-C\"")]
    [InlineData("join('', strings)", "\"baC\"")]
    [InlineData("join('-', empty)", "\"\"")]
    [InlineData("join('-', mixed)", "error: invalid-type")]
    [InlineData("join('-', [none])", "error: invalid-type")]
    [InlineData("join('-', ab)", "error: invalid-type")]
    [InlineData("join(n, strings)", "error: invalid-type")]
    [InlineData("join('-', mixed[].to_string(@))", "\"1-a\"")]
    [InlineData("length(s)", "7")]
    [InlineData("length('')", "0")]
    [InlineData("length('é')", "1")]
    [InlineData("length(ints)", "3")]
    [InlineData("length(o)", "2")]
    [InlineData("length(nothing)", "0")]
    [InlineData("length(n)", "error: invalid-type")]
    [InlineData("length(none)", "error: invalid-type")]
    [InlineData("length(flag)", "error: invalid-type")]
    [InlineData("reverse(ints)", "[3,2,1]")]
    [InlineData("reverse(empty)", "[]")]
    [InlineData("reverse(s)", "\"😀 eßürG\"")]
    [InlineData("reverse('')", "\"\"")]
    [InlineData("reverse(n)", "error: invalid-type")]
    [InlineData("reverse(o)", "error: invalid-type")]
    public void Strings_and_arrays_are_searched_joined_and_measured(string expression, string expected) => Assert.Equal(expected, Table.Run(expression, Data));

    [Theory]
    [InlineData("keys(o)", "[\"b\",\"a\"]")]
    [InlineData("keys(nothing)", "[]")]
    [InlineData("keys(ints)", "error: invalid-type")]
    [InlineData("keys(none)", "error: invalid-type")]
    [InlineData("values(o)", "[2,1]")]
    [InlineData("values(ints)", "error: invalid-type")]
    [InlineData("merge(o, `{\"a\": 9, \"c\": 3}`)", "{\"b\":2,\"a\":9,\"c\":3}")]
    [InlineData("merge(o)", "{\"b\":2,\"a\":1}")]
    [InlineData("merge(`{}`, `{}`)", "{}")]
    [InlineData("merge(o, o, {a: n}, {a: half})", "{\"b\":2,\"a\":2.5}")]
    [InlineData("merge(o, none)", "error: invalid-type")]
    [InlineData("merge(o, ints)", "error: invalid-type")]
    [InlineData("merge()", "error: invalid-arity")]
    [InlineData("map(&n, people)", "[\"Bo\",\"Al\",\"Cy\"]")]
    [InlineData("map(&absent, people)", "[null,null,null]")]
    [InlineData("map(&to_string(@), ints)", "[\"1\",\"2\",\"3\"]")]
    [InlineData("map(&@, empty)", "[]")]
    [InlineData("map(&n, o)", "error: invalid-type")]
    [InlineData("map(n, people)", "error: invalid-type")]
    [InlineData("map(people, &n)", "error: invalid-type")]
    [InlineData("map(&abs(@), mixed)", "error: invalid-type")]
    [InlineData("map(&[], nested)", "[[1],[2,3]]")]
    [InlineData("not_null(absent, none, n, s)", "-3")]
    [InlineData("not_null(absent, empty)", "[]")]
    [InlineData("not_null(absent)", "null")]
    [InlineData("not_null()", "error: invalid-arity")]
    [InlineData("not_null(&n)", "error: invalid-type")]
    [InlineData("to_array(n)", "[-3]")]
    [InlineData("to_array(ints)", "[1,2,3]")]
    [InlineData("to_array(none)", "[null]")]
    [InlineData("to_array(o)", "[{\"b\":2,\"a\":1}]")]
    [InlineData("type(n)", "\"number\"")]
    [InlineData("type(s)", "\"string\"")]
    [InlineData("type(flag)", "\"boolean\"")]
    [InlineData("type(ints)", "\"array\"")]
    [InlineData("type(o)", "\"object\"")]
    [InlineData("type(none)", "\"null\"")]
    [InlineData("type(absent)", "\"null\"")]
    [InlineData("type({a: n})", "\"object\"")]
    [InlineData("type([n])", "\"array\"")]
    [InlineData("type(&n)", "error: invalid-type")]
    public void Objects_and_types_are_taken_apart(string expression, string expected) => Assert.Equal(expected, Table.Run(expression, Data));

    [Theory]
    [InlineData("to_string(s)", "\"Grüße 😀\"")]
    [InlineData("to_string(n)", "\"-3\"")]
    [InlineData("to_string(`1.0`)", "\"1.0\"")]
    [InlineData("to_string(none)", "\"null\"")]
    [InlineData("to_string(flag)", "\"true\"")]
    [InlineData("to_string(ints)", "\"[1,2,3]\"")]
    [InlineData("to_string(o)", "\"{\\\"b\\\":2,\\\"a\\\":1}\"")]
    [InlineData("to_string(`\"a\\u0041\\n\"`)", "\"aA\\n\"")]
    [InlineData("to_string([`\"\\u0001<é\"`])", "\"[\\\"\\\\u0001<é\\\"]\"")]
    [InlineData("to_string({a: [s]})", "\"{\\\"a\\\":[\\\"Grüße 😀\\\"]}\"")]
    [InlineData("to_number('1.50')", "1.50")]
    [InlineData("to_number('-3e2')", "-3e2")]
    [InlineData("to_number('9007199254740993')", "9007199254740993")]
    [InlineData("to_number(n)", "-3")]
    [InlineData("to_number('abc')", "null")]
    [InlineData("to_number('')", "null")]
    [InlineData("to_number(' 1')", "null")]
    [InlineData("to_number('1 ')", "null")]
    [InlineData("to_number('01')", "null")]
    [InlineData("to_number('1.')", "null")]
    [InlineData("to_number('.5')", "null")]
    [InlineData("to_number('+1')", "null")]
    [InlineData("to_number('0x10')", "null")]
    [InlineData("to_number('Infinity')", "null")]
    [InlineData("to_number('NaN')", "null")]
    [InlineData("to_number('1 2')", "null")]
    [InlineData("to_number(flag)", "null")]
    [InlineData("to_number(none)", "null")]
    [InlineData("to_number(ints)", "null")]
    [InlineData("to_number(o)", "null")]
    [InlineData("unknown(n)", "error: unknown-function")]
    [InlineData("Abs(n)", "error: unknown-function")]
    [InlineData("no && unknown(n)", "error: unknown-function")]
    public void Conversions_lose_nothing(string expression, string expected) => Assert.Equal(expected, Table.Run(expression, Data));

    [Theory]
    [InlineData("max(numbers)", "3")]
    [InlineData("min(numbers)", "-1")]
    [InlineData("max(strings)", "\"b\"")]
    [InlineData("min(strings)", "\"C\"")]
    [InlineData("max(empty)", "null")]
    [InlineData("min(empty)", "null")]
    [InlineData("max(mixed)", "error: invalid-type")]
    [InlineData("min(absent)", "error: invalid-type")]
    [InlineData("max([flag])", "error: invalid-type")]
    [InlineData("max(`[9007199254740993, 9007199254740992]`)", "9007199254740993")]
    [InlineData("max_by(people, &age).n", "\"Bo\"")]
    [InlineData("min_by(people, &age).n", "\"Al\"")]
    [InlineData("max_by(people, &n).n", "\"Cy\"")]
    [InlineData("max_by(empty, &n)", "null")]
    [InlineData("max_by(people, &absent)", "error: invalid-type")]
    [InlineData("max_by(people, &[age])", "error: invalid-type")]
    [InlineData("max_by(people, age)", "error: invalid-type")]
    [InlineData("min_by(o, &age)", "error: invalid-type")]
    [InlineData("sort(numbers)", "[-1,2.5,3]")]
    [InlineData("sort(strings)", "[\"C\",\"a\",\"b\"]")]
    [InlineData("sort(empty)", "[]")]
    [InlineData("sort(mixed)", "error: invalid-type")]
    [InlineData("sort([flag])", "error: invalid-type")]
    [InlineData("sort([none, none])", "error: invalid-type")]
    [InlineData("sort(o)", "error: invalid-type")]
    [InlineData("sort(`[10, 9, 1e1, 1.0e1, -1e400, 1e400, 0.1, 100e-1]`)", "[-1e400,0.1,9,10,1e1,1.0e1,100e-1,1e400]")]
    [InlineData("sort(`[\"\\uFFFD\", \"\\uD83D\\uDE00\", \"z\", \"\\uE000\"]`) == `[\"z\", \"\\uE000\", \"\\uFFFD\", \"\\uD83D\\uDE00\"]`", "true")]
    [InlineData("sort(['ab', 'a', '', 'b'])", "[\"\",\"a\",\"ab\",\"b\"]")]
    [InlineData("sort_by(people, &age)[*].n", "[\"Al\",\"Bo\",\"Cy\"]")]
    [InlineData("sort_by(people, &n)[0].n", "\"Al\"")]
    [InlineData("sort_by(people, &to_string(age))[0].n", "\"Al\"")]
    [InlineData("sort_by(empty, &a)", "[]")]
    [InlineData("sort_by(people, &absent)", "error: invalid-type")]
    [InlineData("sort_by(mixed, &@)", "error: invalid-type")]
    [InlineData("sort_by(people)", "error: invalid-arity")]
    [InlineData("sort_by(people, n)", "error: invalid-type")]
    [InlineData("let $f = n in sort_by(people, &abs(age - $f))", "error: syntax")]
    public void Orders_are_total_and_stable(string expression, string expected) => Assert.Equal(expected, Table.Run(expression, Data));

    [Fact]
    public void Elements_with_equal_keys_stay_in_their_order_however_many_there_are()
    {
        var document = "[" + string.Join(",", Enumerable.Range(0, 1000).Select(i => $$"""{"k":{{i % 3}},"i":{{i}}}""")) + "]";

        var sorted = JmesPathExpression.Parse("sort_by(@, &k)[].i").Evaluate(JsonElement.Parse(document)).EnumerateArray().Select(i => i.GetInt32());

        Assert.Equal(Enumerable.Range(0, 1000).OrderBy(i => i % 3), sorted);
    }

    [Theory]
    [InlineData("powertools_json(text).user", """{"text": "{\"user\": 7}"}""", "7")]
    [InlineData("powertools_json(text).user", """{"text": {"user": 7}}""", "7")]
    [InlineData("powertools_json(text)", """{"text": "[1, 2]"}""", "[1,2]")]
    [InlineData("powertools_json(text)", """{"text": 5}""", "5")]
    [InlineData("powertools_json(text)", """{"text": null}""", "null")]
    [InlineData("powertools_json(text)", "{}", "null")]
    [InlineData("powertools_json(text)", """{"text": "null"}""", "null")]
    [InlineData("powertools_json(text)", """{"text": "9007199254740993"}""", "9007199254740993")]
    [InlineData("powertools_json(text)", """{"text": ""}""", "error: invalid-value")]
    [InlineData("powertools_json(text)", """{"text": "{"}""", "error: invalid-value")]
    [InlineData("powertools_json(text)", """{"text": "{} {}"}""", "error: invalid-value")]
    [InlineData("powertools_json(text)", """{"text": "\"\ud800\""}""", "error: invalid-value")]
    [InlineData("powertools_json(text, text)", "{}", "error: invalid-arity")]
    [InlineData("powertools_json(powertools_base64(text)).a", """{"text": "eyJhIjogMX0="}""", "1")]
    [InlineData("powertools_base64(text)", """{"text": "R3LDvMOfZQ=="}""", "\"Grüße\"")]
    [InlineData("powertools_base64(text)", """{"text": ""}""", "\"\"")]
    [InlineData("powertools_base64(text)", "{}", "null")]
    [InlineData("powertools_base64(text)", """{"text": 5}""", "error: invalid-type")]
    [InlineData("powertools_base64(text)", """{"text": "###"}""", "error: invalid-value")]
    [InlineData("powertools_base64(text)", """{"text": "abc"}""", "error: invalid-value")]
    [InlineData("powertools_base64(text)", """{"text": "/w=="}""", "error: invalid-value")]
    [InlineData("powertools_base64_gzip(text)", "{}", "null")]
    [InlineData("powertools_base64_gzip(text)", """{"text": ""}""", "error: invalid-value")]
    [InlineData("powertools_base64_gzip(text)", """{"text": "aGVsbG8="}""", "error: invalid-value")]
    [InlineData("powertools_base64_gzip(text)", """{"text": "aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8="}""", "error: invalid-value")]
    public void Envelopes_are_opened(string expression, string document, string expected) => Assert.Equal(expected, Table.Run(expression, document));

    [Fact]
    public void A_gzipped_body_is_inflated()
    {
        var document = $$"""{"text": "{{Gzip("{\"user\": \"Grüße\"}")}}"}""";

        Assert.Equal("\"Grüße\"", Table.Run("powertools_json(powertools_base64_gzip(text)).user", document));
    }

    [Fact]
    public void A_gzip_stream_that_is_cut_short_or_altered_is_an_invalid_value()
    {
        var whole = Convert.FromBase64String(Gzip(string.Join(",", Enumerable.Range(0, 500))));
        var altered = whole.ToArray();
        altered[whole.Length / 2] ^= 0xFF;

        foreach (var bytes in new[] { whole[..^9], whole[..20], altered })
        {
            Assert.Equal("error: invalid-value", Table.Run("powertools_base64_gzip(@)", $"\"{Convert.ToBase64String(bytes)}\""));
        }
    }

    [Theory]
    [InlineData(1024, "\"ok\"")]
    [InlineData(1025, "error: invalid-value")]
    public void Decoded_text_is_bounded(int length, string expected)
    {
        var options = new JmesPathOptions { MaxDecodedSize = 1024 };
        var text = new string('x', length);

        Assert.Equal(expected, Table.Run("powertools_base64_gzip(@) && 'ok'", $"\"{Gzip(text)}\"", options));
        Assert.Equal(expected, Table.Run("powertools_base64(@) && 'ok'", $"\"{Convert.ToBase64String(Encoding.UTF8.GetBytes(text))}\"", options));
    }

    [Fact]
    public void A_gzip_bomb_is_refused_at_the_limit_without_inflating_the_rest()
    {
        var bomb = new MemoryStream();
        using (var gzip = new GZipStream(bomb, CompressionLevel.SmallestSize))
        {
            var zeros = new byte[1024 * 1024];
            for (var i = 0; i < 256; i++)
            {
                gzip.Write(zeros);
            }
        }

        var expression = JmesPathExpression.Parse("powertools_base64_gzip(@)");
        var document = JsonElement.Parse($"\"{Convert.ToBase64String(bomb.ToArray())}\"");
        var before = GC.GetAllocatedBytesForCurrentThread();

        var refused = Assert.Throws<JmesPathException>(() => expression.Evaluate(document));

        Assert.Equal(JmesPathError.InvalidValue, refused.Error);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 * 1024 * 1024);
    }

    [Theory]
    [InlineData("abs(secret)", "invalid-type at position 0: abs() takes a number as argument 1, but got a string.")]
    [InlineData("[length(@), length(none)]", "invalid-type at position 12: length() takes a string or an array or an object as argument 1, but got null.")]
    [InlineData("sort([secret, `1`])", "invalid-type at position 0: sort() takes an array of numbers or of strings, but got a number and a string.")]
    [InlineData("join(secret, [none])", "invalid-type at position 0: join() takes an array of strings, but got one that contains null.")]
    [InlineData("powertools_json(secret)", "invalid-value at position 0: powertools_json() got text that is not JSON, or is nested deeper than 64 levels.")]
    [InlineData("powertools_base64(secret)", "invalid-value at position 0: powertools_base64() got text that is not Base64.")]
    public void Messages_name_types_and_positions_and_nothing_of_the_document(string expression, string message)
    {
        var refused = Assert.Throws<JmesPathException>(() => JmesPathExpression.Parse(expression).Evaluate(JsonElement.Parse("""{"secret": "4111-1111"}""")));

        Assert.Equal(message, refused.Message);
        Assert.DoesNotContain("4111", refused.ToString(), StringComparison.Ordinal);
    }

    private static string Gzip(string text)
    {
        var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Optimal))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        return Convert.ToBase64String(compressed.ToArray());
    }
}
