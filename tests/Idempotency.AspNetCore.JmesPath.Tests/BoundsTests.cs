using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore.JmesPath.Tests;

/// <summary>Neither an expression nor a document decides how much time, memory or stack it is given.</summary>
public sealed class BoundsTests
{
    public static TheoryData<string> Nested => new(
        Repeat("[", 10_000),
        Repeat("(", 10_000),
        Repeat("!", 10_000) + "a",
        Repeat("{a:", 4_000),
        Repeat("[?", 5_000),
        "a" + Repeat("[?a", 5_000),
        Repeat("abs(", 4_000),
        "a" + Repeat(".a", 8_000),
        "a" + Repeat("[0]", 5_000),
        "a" + Repeat("[*]", 5_000),
        "a" + Repeat("[]", 8_000),
        "a" + Repeat(".*", 8_000),
        "a" + Repeat("|a", 8_000),
        "a" + Repeat("||a", 5_000),
        "a" + Repeat("==a", 5_000),
        "a" + Repeat("[::]", 4_000),
        "a" + Repeat(".[a", 5_000),
        Repeat("map(&", 3_000),
        Repeat("let $a=", 2_000),
        Repeat("let $a=a in ", 1_300) + "a");

    [Theory]
    [MemberData(nameof(Nested))]
    public void Nesting_is_limited_when_an_expression_is_compiled(string expression)
    {
        var refused = OnASmallStack(() => Assert.Throws<JmesPathException>(() => JmesPathExpression.Parse(expression)));

        Assert.Equal(JmesPathError.Syntax, refused.Error);
        Assert.EndsWith("The expression is nested deeper than 256 levels.", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Length_is_limited_when_an_expression_is_compiled()
    {
        Assert.Equal("error: syntax", Table.Run(Repeat("[", 100_000) + Repeat("]", 100_000), "{}"));
        Assert.Equal("error: syntax", Table.Run($"'{Repeat("a", 16 * 1024)}'", "{}"));
        Assert.Equal("true", Table.Run($"length('{Repeat("a", 16_000)}') == `16000`", "{}"));
    }

    [Fact]
    public void What_may_be_compiled_can_be_evaluated_on_a_small_stack()
    {
        string[] deepest =
        [
            Repeat("(", 250) + "@" + Repeat(")", 250), Repeat("[", 250) + "@" + Repeat("]", 250), Repeat("{a:", 250) + "@" + Repeat("}", 250), "@" + Repeat(".a", 250),
            "@" + Repeat("[*]", 250), "@" + Repeat("[]", 120), "@" + Repeat("||@", 250), Repeat("!", 250) + "@", "@" + Repeat(" | [@]", 250), Repeat("to_array(", 250) + "@" + Repeat(")", 250),
        ];
        foreach (var expression in deepest)
        {
            var result = OnASmallStack(() => Table.Run(expression, "[[[1]]]"));
            Assert.DoesNotContain("error", result, StringComparison.Ordinal);

            var selection = new System.Buffers.ArrayBufferWriter<byte>();
            OnASmallStack(() => new JmesPathSelectorLanguage(Microsoft.Extensions.Options.Options.Create(new JmesPathOptions()))
                .Compile(expression + " | [@, 'x']").TrySelect(JsonElement.Parse("[[[1]]]"), selection));
            Assert.Equal(result == "null" ? "null" : $"[{result},\"x\"]", Encoding.UTF8.GetString(selection.WrittenSpan)); // a list of null's members is null
        }
    }

    public static TheoryData<string, string> Heavy
    {
        get
        {
            var ones = "[" + string.Join(",", Enumerable.Repeat("1", 300_000)) + "]";
            var wide = "{" + string.Join(",", Enumerable.Range(0, 50_000).Select(i => $"\"k{i}\":{i}")) + "}";
            var text = $"[\"{Repeat("a", 400_000)}\",\"{Repeat("a", 200_000)}b\"]";
            var nested = Repeat("[", 60) + string.Join(",", Enumerable.Repeat("1", 1000)) + Repeat("]", 60);
            return new()
            {
                { "let $a = @ in [*].[$a]", ones },
                { "let $a = @ in map(&map(&@, $a), $a)", ones },
                { "let $a = @ in [*].length($a[*])", ones },
                { "let $a = @ in [?contains($a, 'x')]", ones },
                { "let $a = @ in [*].to_string($a)", ones },
                { "let $a = @ in [*].sort($a)", ones },
                { "let $o = @ in values(@)[*].[$o.k0]", wide },
                { "let $o = @ in values(@)[*].[merge($o, $o)]", wide },
                { "contains([0], [1])", text },
                { "let $n = join('', map(&to_string(@), @)) in [*].to_number($n)", ones },
                { "let $n = [0] in [*].abs($n)", "[-" + Repeat("1", 400_000) + "," + string.Join(",", Enumerable.Repeat("1", 100_000)) + "]" },
                { "let $o = @ in l[*].[$o.k]", $"{{\"{Repeat("\\\\", 200_000)}\":1,\"l\":{ones}}}" },
                { "[[0], [0]] | [@, @] | [@, @] | [@, @] | [@, @] | [@, @] | [@, @] | [@, @] | [@, @] | [@, @] | [@, @] | [@, @]", text },
                { "let $a = [@, @, @, @, @, @, @, @] in let $b = [$a, $a, $a, $a, $a, $a, $a, $a] in let $c = [$b, $b, $b, $b, $b, $b, $b, $b] in let $d = [$c, $c, $c, $c, $c, $c, $c, $c] in to_string($d)", nested },
                { $"map(&merge({string.Join(", ", Enumerable.Repeat("`{}`", 2000))}), @)", ones },
                { $"map(&not_null({string.Join(", ", Enumerable.Repeat("`null`", 1500))}), @)", ones },
                { Doubled("join('', [@, @])", 40), "\"ab\"" },
                { Doubled("[@, @] | [][]", 40), "[1]" },
                { Doubled("[@, @]", 40), "[1]" },
                { Doubled("{a: @, b: @}", 40) + " | @ == @", "[1]" },
            };
        }
    }

    [Theory]
    [MemberData(nameof(Heavy))]
    public void Too_much_work_is_an_invalid_value(string expression, string document)
    {
        var compiled = JmesPathExpression.Parse(expression);
        var element = JsonElement.Parse(document);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var refused = Assert.Throws<JmesPathException>(() => compiled.Evaluate(element));

        Assert.Equal(JmesPathError.InvalidValue, refused.Error);
        Assert.Contains("To allow more, increase JmesPathOptions.MaxWork", refused.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 400L * 1024 * 1024);
    }

    [Fact]
    public void A_large_document_is_not_too_much_work()
    {
        var document = "{\"items\": [" + string.Join(",", Enumerable.Range(0, 20_000).Select(i => $$"""{"id": {{i}}, "name": "item {{i}}", "price": {{i % 100}}.50}""")) + "]}";

        Assert.Equal("20000", Table.Run("length(items[?price > `0`])", document));
        Assert.Equal("9999", Table.Run("sort_by(items, &id)[9999].id", document));
        Assert.StartsWith("[0,1,2,", Table.Run("items[*].id", document), StringComparison.Ordinal);
        Assert.Equal("1", Table.Run("length([to_string(@)])", document));
    }

    [Fact]
    public void The_limits_must_be_more_than_zero()
    {
        Assert.Contains("MaxWork must be greater than zero", Assert.Throws<ArgumentException>(() => JmesPathExpression.Parse("a", new JmesPathOptions { MaxWork = 0 })).Message, StringComparison.Ordinal);
        Assert.Contains("MaxDecodedSize must be greater than zero", Assert.Throws<ArgumentException>(() => JmesPathExpression.Parse("a", new JmesPathOptions { MaxDecodedSize = -1 })).Message, StringComparison.Ordinal);
        Assert.Equal("error: invalid-value", Table.Run("[*].a", "[1, 2, 3, 4]", new JmesPathOptions { MaxWork = 3 }));
    }

    [Fact]
    public void One_expression_serves_many_threads()
    {
        var expression = JmesPathExpression.Parse("let $p = p in items[?price >= $p].{id: id, p: $p} | sort_by(@, &id)[*].[id, p][]");

        Parallel.For(0, 2000, i =>
        {
            var document = JsonElement.Parse($$"""{"p": {{i}}, "items": [{"id": "b", "price": {{i}} }, {"id": "a", "price": {{i + 1}} }, {"id": "c", "price": {{i - 1}} }]}""");
            Assert.Equal($"""["a",{i},"b",{i}]""", expression.Evaluate(document).GetRawText());
        });
    }

    [Fact]
    public void No_expression_and_no_document_brings_anything_but_its_own_exception()
    {
        var random = new Random(4711);
        string[] words =
        [
            "a", "b", "\"c d\"", "@", "*", "[*]", "[]", "[0]", "[-1]", "[1:]", "[::-1]", "[?", "]", "[", "{", "}", "(", ")", ",", ":", ".", "|", "||", "&&", "!", "==", "<", "&", "`1`", "`[1,\"a\"]`", "'x'",
            "length(", "sort(", "to_string(@)", "map(&", "sort_by(", "keys(", "join('-', ", "not_null(", "let $x = ", " in ", "$x", "to_number(", "powertools_json(", "merge(", "reverse(", "sum(", "\\", "`", "'", "\"", "$", "-", "é", "\ud83d",
        ];
        var documents = Enumerable.Range(0, 50).Select(_ => Value(3)).ToArray();
        var language = new JmesPathSelectorLanguage(Microsoft.Extensions.Options.Options.Create(new JmesPathOptions()));
        int evaluated = 0, selected = 0;
        for (var i = 0; i < 40_000; i++)
        {
            var text = i % 2 == 0 ? string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => words[random.Next(words.Length)])) : Expression(3);
            try
            {
                var compiled = JmesPathExpression.Parse(text);
                var document = JsonElement.Parse(documents[random.Next(documents.Length)]);
                evaluated++;
                _ = compiled.Evaluate(document).GetRawText();
                language.Compile(text).TrySelect(document, new System.Buffers.ArrayBufferWriter<byte>());
                selected++;
            }
            catch (FormatException)
            {
                // A JmesPathException, or what Compile says of an expression that reads nothing.
            }
        }

        Assert.InRange(evaluated, 15_000, 40_000);
        Assert.InRange(selected, 5_000, 40_000);

        string Expression(int depth) => random.Next(depth > 0 ? 18 : 4) switch
        {
            0 => "a",
            1 => "b",
            2 => "@",
            3 => "`2`",
            4 => $"{Expression(depth - 1)}.a",
            5 => $"{Expression(depth - 1)}[{random.Next(-2, 3)}]",
            6 => $"{Expression(depth - 1)}[*].b",
            7 => $"{Expression(depth - 1)}[]",
            8 => $"{Expression(depth - 1)}[?{Expression(depth - 1)}]",
            9 => $"[{Expression(depth - 1)}, {Expression(depth - 1)}]",
            10 => $"{{x: {Expression(depth - 1)}, y: {Expression(depth - 1)}}}",
            11 => $"({Expression(depth - 1)}) || ({Expression(depth - 1)})",
            12 => $"({Expression(depth - 1)}) == ({Expression(depth - 1)})",
            13 => $"({Expression(depth - 1)}) | {Expression(depth - 1)}",
            14 => $"not_null({Expression(depth - 1)}, {Expression(depth - 1)})",
            15 => $"to_string({Expression(depth - 1)})",
            16 => $"map(&{Expression(depth - 1)}, to_array({Expression(depth - 1)}))",
            _ => $"let $x = {Expression(depth - 1)} in [$x, {Expression(depth - 1)}]",
        };

        string Value(int depth) => random.Next(depth > 0 ? 8 : 6) switch
        {
            0 => "null",
            1 => random.Next(2) == 0 ? "true" : "false",
            2 => "1e400",
            3 => random.Next(-5, 5).ToString(System.Globalization.CultureInfo.InvariantCulture),
            4 => "\"\\ud800x\"",
            5 => "\"text\"",
            6 => $"[{string.Join(",", Enumerable.Range(0, random.Next(4)).Select(_ => Value(depth - 1)))}]",
            _ => $"{{{string.Join(",", Enumerable.Range(0, random.Next(4)).Select(_ => $"\"{"abc"[random.Next(3)]}\":{Value(depth - 1)}"))}}}",
        };
    }

    private static string Doubled(string step, int times) => string.Join(" | ", Enumerable.Repeat(step, times));

    private static string Repeat(string text, int times) => new StringBuilder().Insert(0, text, times).ToString();

    /// <summary>512 KiB: half of the least that a thread has by default on any system, and in a build that is not optimised.</summary>
    private static T OnASmallStack<T>(Func<T> action)
    {
        T result = default!;
        Exception? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    result = action();
                }
                catch (Exception exception)
                {
                    failure = exception;
                }
            },
            512 * 1024);
        thread.Start();
        thread.Join();
        return failure is null ? result : throw new InvalidOperationException("On the small stack:", failure);
    }
}
