using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore.JmesPath.Tests;

/// <summary>Whatever JSON can hold: numbers beyond any type, halves of surrogate pairs, names given twice, depth.</summary>
public sealed class DocumentTests
{
    private static readonly string Long = new('7', 400);

    public static TheoryData<string> Numbers => ["9007199254740993", "1e400", "-1e400", "1E-400", Long, "0.1000", "1.0", "-0", "-0.0", "1e99999999999999999999", "100e-2"];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Numbers_keep_their_digits(string number)
    {
        var document = $$"""{"n": {{number}}}""";

        Assert.Equal(number, Table.Run("n", document));
        Assert.Equal($"[{number}]", Table.Run("[n]", document));
        Assert.Equal($$"""{"a":{{number}}}""", Table.Run("{a: n}", document));
        Assert.Equal($"\"{number}\"", Table.Run("to_string(n)", document));
        Assert.Equal(number, Table.Run("to_number(to_string(n))", document));
        Assert.Equal(number, Table.Run("max([n])", document));
        Assert.Equal("true", Table.Run("n == n", document));
        Assert.Equal("true", Table.Run("n <= n", document));
    }

    [Theory]
    [InlineData("1", "1.0", 0)]
    [InlineData("1", "1e0", 0)]
    [InlineData("1", "10e-1", 0)]
    [InlineData("100", "1e2", 0)]
    [InlineData("0.001", "1e-3", 0)]
    [InlineData("0", "-0", 0)]
    [InlineData("0", "0e99999999999999999999", 0)]
    [InlineData("0.0", "-0.00e5", 0)]
    [InlineData("9007199254740993", "9007199254740992", 1)]
    [InlineData("9007199254740993", "9007199254740993.0", 0)]
    [InlineData("0.1", "0.10000000000000000001", -1)]
    [InlineData("1e400", "1e401", -1)]
    [InlineData("-1e400", "1e-400", -1)]
    [InlineData("-2", "-1", -1)]
    [InlineData("-10", "-9", -1)]
    [InlineData("12", "123", -1)]
    [InlineData("12.3", "12.25", 1)]
    [InlineData("1.05", "1.5", -1)]
    [InlineData("99.99", "100", -1)]
    [InlineData("0.05", "0.5", -1)]
    [InlineData("0.05e2", "5", 0)]
    [InlineData("120e-1", "12.0", 0)]
    [InlineData("1.20", "1.2", 0)]
    [InlineData("101", "1.01e2", 0)]
    [InlineData("1e10", "10000000001", -1)]
    public void Numbers_are_compared_as_exact_decimals(string left, string right, int order)
    {
        var document = $"[{left}, {right}]";

        Assert.Equal(order == 0 ? "true" : "false", Table.Run("[0] == [1]", document));
        Assert.Equal(order != 0 ? "true" : "false", Table.Run("[0] != [1]", document));
        Assert.Equal(order < 0 ? "true" : "false", Table.Run("[0] < [1]", document));
        Assert.Equal(order > 0 ? "true" : "false", Table.Run("[0] > [1]", document));
        Assert.Equal(order < 0 ? "true" : "false", Table.Run("[1] > [0]", document));
        Assert.Equal(order <= 0 ? "true" : "false", Table.Run("[0] <= [1]", document));
    }

    [Fact]
    public void Equality_is_that_of_the_framework_wherever_the_framework_has_an_answer()
    {
        var random = new Random(20);
        string[] digits = ["0", "1", "10", "100", "12", "120", "0.1", "0.10", "1.2", "1e1", "12e-1", "0.12e1", "-1", "-1.0", "-0", "0e3", "1E+1"];
        for (var i = 0; i < 3000; i++)
        {
            var left = Random(2);
            var right = random.Next(3) == 0 ? left.Replace("10", "1e1", StringComparison.Ordinal) : Random(2);
            var same = JsonElement.DeepEquals(JsonElement.Parse(left), JsonElement.Parse(right));

            Assert.True(Table.Run("[0] == [1]", $"[{left}, {right}]") == (same ? "true" : "false"), $"{left} == {right} is {same}");
        }

        string Random(int depth) => random.Next(depth > 0 ? 5 : 3) switch
        {
            0 => digits[random.Next(digits.Length)],
            1 => random.Next(2) == 0 ? "\"a\"" : "\"\\u0061\"",
            2 => random.Next(2) == 0 ? "null" : "true",
            3 => $"[{string.Join(",", Enumerable.Range(0, random.Next(3)).Select(_ => Random(depth - 1)))}]",
            _ => $"{{{string.Join(",", Enumerable.Range(0, random.Next(3)).Select(n => $"\"{(random.Next(2) == 0 ? "a" : "\\u0062")}{n}\":{Random(depth - 1)}"))}}}",
        };
    }

    [Theory]
    [InlineData("""{"a": "\ud800", "b": "\udc00", "c": "\ud800x", "d": "x\uD800"}""")]
    public void Half_a_surrogate_pair_is_a_character_of_its_own(string document)
    {
        Assert.Equal("\"\\ud800\"", Table.Run("a", document));
        Assert.Equal("""["\ud800","\udc00"]""", Table.Run("[a, b]", document));
        Assert.Equal("1", Table.Run("length(a)", document));
        Assert.Equal("2", Table.Run("length(c)", document));
        Assert.Equal("\"x\\ud800\"", Table.Run("reverse(c)", document));
        Assert.Equal("true", Table.Run("reverse(c) == d", document));
        Assert.Equal("false", Table.Run("a == b", document));
        Assert.Equal("\"[\\\"\\\\ud800\\\"]\"", Table.Run("to_string([a])", document));
        Assert.Equal("""["\ud800","\ud800x","\udc00"]""", Table.Run("sort([b, c, a])", document));
        Assert.Equal("\"\\ud800-\\udc00\"", Table.Run("join('-', [a, b])", document));
        Assert.Equal("error: invalid-value", Table.Run("powertools_json(a)", document));
        Assert.Equal("error: invalid-value", Table.Run("powertools_base64(a)", document));
        Assert.Equal("null", Table.Run("to_number(a)", document));
        Assert.Equal("false", Table.Run("contains(a, 'x')", document));
    }

    [Fact]
    public void A_name_with_half_a_surrogate_pair_is_found_and_hides_no_other()
    {
        const string Document = """{"\ud800": 1, "a": 2, "\u0061b": 3, "": 4, "\ud800\udc00": 5}""";

        Assert.Equal("2", Table.Run("a", Document));
        Assert.Equal("3", Table.Run("ab", Document));
        Assert.Equal("4", Table.Run("\"\"", Document));
        Assert.Equal("1", Table.Run("\"\\ud800\"", Document));
        Assert.Equal("5", Table.Run("\"\\ud800\\udc00\"", Document));
        Assert.Equal("null", Table.Run("absent", Document));
        Assert.Equal("5", Table.Run("length(keys(@))", Document));
        Assert.Equal("""["\ud800","a","ab","","𐀀"]""", Table.Run("keys(@)", Document));
        Assert.Equal("1", Table.Run("merge(@).\"\\ud800\"", Document));
        Assert.Equal("[1,2,3,4,5]", Table.Run("*", Document));
        Assert.Equal("true", Table.Run("@ == @", Document));
    }

    [Fact]
    public void Bytes_that_are_no_UTF8_do_not_make_it_throw_and_stay_different()
    {
        var first = JsonDocument.Parse(new byte[] { (byte)'"', 0xFF, (byte)'"' }).RootElement;
        var second = JsonDocument.Parse(new byte[] { (byte)'"', 0xFE, (byte)'"' }).RootElement;
        var expression = JmesPathExpression.Parse("to_string([@])");

        Assert.NotEqual(expression.Evaluate(first).GetRawText(), expression.Evaluate(second).GetRawText());
    }

    [Theory]
    [InlineData("a", "3")]
    [InlineData("b", "2")]
    [InlineData("keys(@)", "[\"a\",\"b\"]")]
    [InlineData("values(@)", "[3,2]")]
    [InlineData("*", "[3,2]")]
    [InlineData("length(@)", "2")]
    [InlineData("@ == `{\"b\": 2, \"a\": 3}`", "true")]
    [InlineData("@ == `{\"b\": 2, \"a\": 1}`", "false")]
    [InlineData("merge(@, `{}`)", "{\"a\":3,\"b\":2}")]
    public void Of_a_name_given_twice_the_last_counts(string expression, string expected) =>
        Assert.Equal(expected, Table.Run(expression, """{"a": 1, "b": 2, "\u0061": 3}"""));

    [Fact]
    public void Objects_with_many_members_behave_as_those_with_few()
    {
        var document = "{" + string.Join(",", Enumerable.Range(0, 1000).Select(i => $"\"k{i % 900}\":{i}")) + "}";

        Assert.Equal("900", Table.Run("length(@)", document));
        Assert.Equal("950", Table.Run("k50", document));
        Assert.Equal("950", Table.Run("merge(@).k50", document));
        Assert.Equal("950", Table.Run("values(@)[50]", document));
        Assert.Equal("true", Table.Run("@ == merge(@)", document));
        Assert.Equal("true", Table.Run("merge(@) == @", document));
    }

    [Fact]
    public void Sixty_four_levels_are_nothing_special()
    {
        var document = string.Concat(Enumerable.Repeat("[", 64)) + string.Concat(Enumerable.Repeat("]", 64));

        Assert.Equal(document, Table.Run("@", document));
        Assert.Equal($"[{document}]", Table.Run("[@]", document));
        Assert.Equal("true", Table.Run("@ == [@][0]", document));
        Assert.Equal($"\"{document}\"", Table.Run("to_string(@)", document));
        Assert.Equal(document, Table.Run("powertools_json(to_string(@))", document));
    }

    [Fact]
    public void A_document_nested_beyond_all_bounds_is_an_invalid_value_and_no_overflow()
    {
        const int Depth = 10_000;
        var text = Encoding.UTF8.GetBytes(new string('[', Depth) + new string(']', Depth));
        using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = Depth });

        foreach (var expression in new[] { "to_string(@)", "@ == @", "[@]" })
        {
            var refused = Assert.Throws<JmesPathException>(() => JmesPathExpression.Parse(expression).Evaluate(document.RootElement));
            Assert.Equal(JmesPathError.InvalidValue, refused.Error);
        }
    }

    [Fact]
    public void What_is_selected_as_it_stands_is_the_document_s_own_element() =>
        Assert.Equal("{ \"b\" :1e0 }", JmesPathExpression.Parse("a").Evaluate(JsonElement.Parse("""{"a": { "b" :1e0 }}""")).GetRawText());
}
