using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore.Tests;

/// <summary>What is a key and what is not, at every edge of the grammar. <see cref="KeyTests"/> has the same over HTTP, from a client's side.</summary>
public sealed class KeyGrammarTests
{
    [Theory]
    [InlineData("a", "a")]
    [InlineData("~", "~")]
    [InlineData("!", "!")]
    [InlineData("a b", "a b")]
    [InlineData(" a ", "a")]
    [InlineData("\ta\t", "a")]
    [InlineData("a\\b", "a\\b")] // a backslash escapes nothing in a bare key
    [InlineData("\"a\"", "a")]
    [InlineData(" \"a\"\t", "a")]
    [InlineData("\" \"", " ")]
    [InlineData("\" a \"", " a ")]
    [InlineData("\"a,b;c\"", "a,b;c")]
    [InlineData("\"\\\"\"", "\"")]
    [InlineData("\"\\\\\"", "\\")]
    [InlineData("\"a\\\\\\\"b\"", "a\\\"b")]
    public void A_key(string header, string expected)
    {
        Assert.True(IdempotencyKey.TryParse(header, out var key, out var error));
        Assert.Equal(expected, key);
        Assert.Equal("", error);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("\t")]
    [InlineData("\"")]
    [InlineData("\"\"")]
    [InlineData("\"a")]
    [InlineData("\"a\\")]
    [InlineData("\"a\\\"")]
    [InlineData("\"\\a\"")]
    [InlineData("\"a\\b\"")]
    [InlineData("\"a\"b")]
    [InlineData("\"a\"\"b\"")]
    [InlineData("\"a\\\\\"b")]
    [InlineData("\"a\";v")]
    [InlineData("\"a\" ;v")]
    [InlineData("\"a\", \"b\"")]
    [InlineData("a\"")]
    [InlineData("a,b")]
    [InlineData(",")]
    [InlineData("a;v")]
    [InlineData("a\u001Fb")]
    [InlineData("a\u007Fb")]
    [InlineData("\"a\u001Fb\"")]
    [InlineData("\"a\u007F\"")]
    [InlineData("ä")]
    public void No_key(string header)
    {
        Assert.False(IdempotencyKey.TryParse(header, out _, out var error));
        Assert.NotEqual("", error);
    }

    [Fact]
    public void Two_field_lines_are_no_key_and_neither_is_none()
    {
        Assert.False(IdempotencyKey.TryParse(new StringValues(["a", "a"]), out _, out var two));
        Assert.False(IdempotencyKey.TryParse(StringValues.Empty, out _, out var none));
        Assert.NotEqual("", two);
        Assert.NotEqual("", none);
    }

    [Fact]
    public void A_key_has_255_characters_at_the_most_whatever_its_quotation_adds()
    {
        var longest = new string('"', IdempotencyKey.MaxLength);
        Assert.True(IdempotencyKey.TryParse($"\"{longest.Replace("\"", "\\\"", StringComparison.Ordinal)}\"", out var key, out _));
        Assert.Equal(longest, key);
        Assert.True(IdempotencyKey.TryParse(new string('a', 255), out _, out _));
        Assert.False(IdempotencyKey.TryParse(new string('a', 256), out _, out _));
        Assert.False(IdempotencyKey.TryParse($"\"{new string('a', 256)}\"", out _, out _));
    }

    [Fact]
    public void What_parameters_and_what_follows_a_key_are_told_apart()
    {
        Assert.False(IdempotencyKey.TryParse("\"a\"; v=1", out _, out var parameters));
        Assert.False(IdempotencyKey.TryParse("\"a\" \"b\"", out _, out var more));
        Assert.False(IdempotencyKey.TryParse("\"a", out _, out var open));
        Assert.False(IdempotencyKey.TryParse("\"\\a\"", out _, out var escape));
        Assert.False(IdempotencyKey.TryParse("\"\"", out _, out var empty));
        Assert.Equal(5, new HashSet<string> { parameters, more, open, escape, empty }.Count);
    }
}
