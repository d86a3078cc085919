using System.Buffers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.JmesPath.Tests;

/// <summary>Expressions as selectors of keys: what they read of the root, and when what they select is a key.</summary>
public sealed class SelectorTests
{
    private static readonly JmesPathSelectorLanguage Language = new JmesPathSelectorLanguage(Options.Create(new JmesPathOptions()));

    [Theory]
    [InlineData("a", "a")]
    [InlineData("a.b.c", "a")]
    [InlineData("\"a b\".c", "a b")]
    [InlineData("[transaction_id, user.id]", "transaction_id user")]
    [InlineData("{x: a, y: b.c, z: a}", "a b")]
    [InlineData("@.a", "a")]
    [InlineData("@.[a, b]", "a b")]
    [InlineData("@.{x: a}", "a")]
    [InlineData("@ | [a, b]", "a b")]
    [InlineData("@ | @ | a", "a")]
    [InlineData("a | b", "a")]
    [InlineData("a.[b, c]", "a")]
    [InlineData("a.b || c", "a c")]
    [InlineData("a && !b", "a b")]
    [InlineData("a == b", "a b")]
    [InlineData("(a || b).c", "a b")]
    [InlineData("(@).a", "a")]
    [InlineData("join('-', [a, b])", "a b")]
    [InlineData("powertools_json(body).id", "body")]
    [InlineData("not_null(a.x, b)", "a b")]
    [InlineData("sort_by(items, &price)[0].id", "items")]
    [InlineData("map(&id, items)", "items")]
    [InlineData("items[*].id", "items")]
    [InlineData("items[?price > min].id", "items")]
    [InlineData("items[].{i: id}", "items")]
    [InlineData("items[0:2].id", "items")]
    [InlineData("items[0].id", "items")]
    [InlineData("headers.*", "headers")]
    [InlineData("let $x = a in [$x.z, b]", "a b")]
    [InlineData("let $r = @ in items[?id == $r.wanted]", "items wanted")]
    [InlineData("let $r = @ in $r.a", "a")]
    [InlineData("let $r = @, $x = c in let $r = $x in $r.a", "c")]
    [InlineData("@ || a", "a")]
    [InlineData("(a || @).b", "a b")]
    [InlineData("@", "")]
    [InlineData("*", "")]
    [InlineData("*.a", "")]
    [InlineData("[*].a", "")]
    [InlineData("[0].id", "")]
    [InlineData("[]", "")]
    [InlineData("[?a == 'x'].b", "")]
    [InlineData("keys(@)", "")]
    [InlineData("map(&a, @)", "")]
    [InlineData("[0] | a", "")]
    [InlineData("[@.a, [@][0].b]", "a")]
    public void Root_names_are_the_members_applied_to_the_root(string expression, string names) =>
        Assert.Equal(names, string.Join(' ', Language.Compile(expression).RootNames));

    [Theory]
    // What is there is a key, and so are 0, false and "".
    [InlineData("id", """{"id": 7}""", "7")]
    [InlineData("id", """{"id": 0}""", "0")]
    [InlineData("id", """{"id": false}""", "false")]
    [InlineData("id", """{"id": ""}""", "\"\"")]
    [InlineData("@", """{"a": [{"b": 1}]}""", """{"a":[{"b":1}]}""")]
    [InlineData("[a, b]", """{"a": 1}""", "[1,null]")]
    [InlineData("{x: a, y: b}", """{"b": 2}""", """{"x":null,"y":2}""")]
    [InlineData("items[*].id", """{"items": [{"id": 1}, {}]}""", "[1]")]
    [InlineData("a", """{"a": "\u0041\u00e9<\ud83d\ude00\n\ud800"}""", "\"Aé<😀\\n\\ud800\"")]
    [InlineData("a", """{"a": { "b" : 1.0 , "c": [ ] } }""", """{"b":1.0,"c":[]}""")]
    [InlineData("n", """{"n": 9007199254740993}""", "9007199254740993")]
    [InlineData("@", """{"a": 1, "a": 2}""", """{"a":1,"a":2}""")]
    // Constants beside something of the document.
    [InlineData("['tenant', user_id]", """{"user_id": 5}""", "[\"tenant\",5]")]
    [InlineData("['tenant', a, b]", """{"b": false}""", "[\"tenant\",null,false]")]
    [InlineData("{v: `1`, id: id}", """{"id": "x"}""", """{"v":1,"id":"x"}""")]
    [InlineData("a || 'default'", """{"a": "x"}""", "\"x\"")]
    [InlineData("a || 'default'", """{"a": ""}""", "\"default\"")]
    [InlineData("to_string(id)", """{"id": 5}""", "\"5\"")]
    [InlineData("join('-', [a, b])", """{"a": "x", "b": "y"}""", "\"x-y\"")]
    [InlineData("join('-', not_null([a], [b]))", """{"a": "x"}""", "\"x\"")]
    [InlineData("['tenant', to_number(id)]", """{"id": "5"}""", "[\"tenant\",5]")]
    [InlineData("items[*].[id, 'x'][0]", """{"items": [{"id": 1}, {"id": 2}]}""", "[1,\"x\"]")]
    [InlineData("[powertools_json(body || '{}').id, 'x']", """{"body": "{\"id\": 1}"}""", "[1,\"x\"]")]
    [InlineData("[(a || `[]`)[1:], 'x']", """{"a": [1, 2]}""", "[[2],\"x\"]")]
    [InlineData("[merge(a || `{}`, b || `{}`).id, 'x']", """{"b": {"id": 2}}""", "[2,\"x\"]")]
    [InlineData("[sort_by(a || `[]`, &n)[0].id, 'x']", """{"a": [{"n": 1, "id": 5}]}""", "[5,\"x\"]")]
    [InlineData("let $o = powertools_json(body || '{}') in [$o.id, 'x']", """{"body": "{\"id\": 1}"}""", "[1,\"x\"]")]
    [InlineData("let $o = powertools_json(body || '{}') in [$o.id, b, 'x']", """{"b": 1}""", "[null,1,\"x\"]")]
    [InlineData("let $t = tenant in [(a || `{}`).[id, $t], 'x']", """{"tenant": "t", "a": {"id": 2}}""", "[[2,\"t\"],\"x\"]")]
    [InlineData("length(items)", """{"items": [1]}""", "1")]
    [InlineData("length(name)", """{"name": ""}""", "0")]
    [InlineData("sort(items)[0]", """{"items": [3, 1]}""", "1")]
    [InlineData("sort_by(items, &p)[*].['x', id]", """{"items": [{"p": 1, "id": 2}]}""", "[[\"x\",2]]")]
    [InlineData("keys(@)", """{"a": 1}""", "[\"a\"]")]
    [InlineData("type(id)", """{"id": 5}""", "\"number\"")]
    [InlineData("a == b", """{"a": 1}""", "false")]
    [InlineData("!a", """{"a": true}""", "false")]
    [InlineData("a.['x', b]", """{"a": {"b": 1}}""", "[\"x\",1]")]
    [InlineData("items[*].['x', id]", """{"items": [{"id": 1}, {}]}""", "[[\"x\",1],[\"x\",null]]")]
    [InlineData("items[?price > `3`].id", """{"items": [{"id": 1, "price": 4}, {"id": 2, "price": 3}]}""", "[1]")]
    [InlineData("items[?price > `3`].[id, 'x']", """{"items": [{"id": 1, "price": 4}]}""", "[[1,\"x\"]]")]
    [InlineData("map(&[id, 'x'], items)", """{"items": [{"id": 1}]}""", "[[1,\"x\"]]")]
    [InlineData("['x', powertools_json(body).user_id]", """{"body": "{\"user_id\": 5}"}""", "[\"x\",5]")]
    [InlineData("['x', powertools_json(body).user_id]", """{"body": {"user_id": 5}}""", "[\"x\",5]")]
    [InlineData("let $x = 'c' in [$x, id]", """{"id": 1}""", "[\"c\",1]")]
    [InlineData("let $x = id in [$x, 'c']", """{"id": 1}""", "[1,\"c\"]")]
    [InlineData("let $x = to_string(id) in [$x, 'c']", """{"id": 1}""", "[\"1\",\"c\"]")]
    [InlineData("let $t = tenant in items[*].[$t, id, 'x']", """{"tenant": "t", "items": [{}]}""", "[[\"t\",null,\"x\"]]")]
    [InlineData("merge(a, `{\"v\": 1}`)", """{"a": {"b": 2}}""", """{"b":2,"v":1}""")]
    [InlineData("not_null(a, 'x')", """{"a": 1}""", "1")]
    [InlineData("a || join('-', b)", """{"a": 1}""", "1")]
    [InlineData("*.[id, 'x']", """{"a": {"id": 1}}""", "[[1,\"x\"]]")]
    public void A_selection_of_something_is_a_key(string expression, string document, string selection) =>
        Assert.Equal((true, selection), Select(expression, document));

    [Theory]
    // Nothing, in any shape.
    [InlineData("id", "{}")]
    [InlineData("id", """{"id": null}""")]
    [InlineData("id", """{"id": []}""")]
    [InlineData("id", """{"id": {}}""")]
    [InlineData("id", """{"id": [null, {"a": [{}]}]}""")]
    [InlineData("@", "null")]
    [InlineData("@", "{}")]
    [InlineData("[a, b]", "{}")]
    [InlineData("{x: a, y: [b]}", "{}")]
    [InlineData("items[*].id", """{"items": [{}, {}]}""")]
    [InlineData("items[?price > `3`].id", """{"items": [{"id": 1, "price": 3}]}""")]
    [InlineData("powertools_json(body).user_id", """{"body": "{}"}""")]
    [InlineData("powertools_json(body).user_id", "{}")]
    [InlineData("not_null(a, b)", "{}")]
    // Constants and functions make up for nothing.
    [InlineData("['tenant', user_id]", "{}")]
    [InlineData("['tenant', user_id]", """{"user_id": [], "other": 1}""")]
    [InlineData("{v: `1`, id: id}", "{}")]
    [InlineData("to_string(user_id)", "{}")]
    [InlineData("['tenant', to_number(id)]", """{"id": "not a number"}""")]
    [InlineData("a || 'default'", "{}")]
    [InlineData("a || b || 'default'", """{"a": {}, "b": []}""")]
    [InlineData("not_null(a, 'x')", "{}")]
    // Nor do they where something was selected from what they stand in for.
    [InlineData("[powertools_json(body || '{}').id, 'x']", """{"body": "{\"n\": 1}"}""")]
    [InlineData("[powertools_json(body || '{}').id, 'x']", "{}")]
    [InlineData("[(a || `{}`).b, 'x']", """{"a": {"c": 1}}""")]
    [InlineData("[(a || `{\"b\": 1}`).b, 'x']", "{}")]
    [InlineData("[(a || `[]`)[1], 'x']", """{"a": [1]}""")]
    [InlineData("[(a || `[]`)[1:], 'x']", """{"a": [1]}""")]
    [InlineData("[(a || `[]`)[?ok].id, 'x']", """{"a": [{"id": 1}]}""")]
    [InlineData("[merge(a || `{}`, b || `{}`).id, 'x']", """{"a": {"n": 1}, "b": {"n": 2}}""")]
    [InlineData("[sort_by(a || `[]`, &n)[0].id, 'x']", """{"a": [{"n": 1}]}""")]
    [InlineData("[to_string(not_null(a, 'y').b), 'x']", """{"a": {"c": 1}}""")]
    [InlineData("let $o = powertools_json(body || '{}') in [$o.id, 'x']", "{}")]
    [InlineData("let $o = powertools_json(body || '{}') in [$o.id, 'x']", """{"body": "{\"n\": 1}"}""")]
    [InlineData("let $o = powertools_json(body || '{\"id\": 1}') in [$o.id, 'x']", "{}")]
    [InlineData("length(items)", """{"items": []}""")]
    [InlineData("length(items)", """{"items": [{}, {}]}""")]
    [InlineData("keys(@)", "{}")]
    [InlineData("type(id)", "{}")]
    [InlineData("a == b", "{}")]
    [InlineData("!a", "{}")]
    [InlineData("sum(items)", """{"items": []}""")]
    [InlineData("['x', powertools_json(body).user_id]", """{"body": "{\"other\": 5}"}""")]
    [InlineData("['x', powertools_json(body).user_id]", """{"body": {"other": 5}}""")]
    [InlineData("['x', powertools_json(powertools_base64(body)).user_id]", """{"body": "eyJhIjogMX0="}""")]
    [InlineData("a.['x', b]", """{"a": {"c": 1}}""")]
    [InlineData("a.['x', b] | [@, 'y']", """{"a": {"c": 1}}""")]
    [InlineData("items[*].['x', id]", """{"items": [{"other": 1}]}""")]
    [InlineData("items[?price > `3`].[id, 'x']", """{"items": [{"other": 1, "price": 4}]}""")]
    [InlineData("items[*].to_string(id)", """{"items": [{"other": 1}]}""")]
    [InlineData("map(&[id, 'x'], items)", """{"items": [{"other": 1}]}""")]
    [InlineData("sort_by(items, &p)[*].['x', id]", """{"items": [{"p": 1}]}""")]
    [InlineData("max_by(items, &p).['x', id]", """{"items": [{"p": 1}]}""")]
    [InlineData("*.[id, 'x']", """{"a": {"other": 1}}""")]
    [InlineData("let $x = 'c' in [$x, id]", """{"other": 1}""")]
    [InlineData("let $x = id in [$x, 'c']", """{"other": 1}""")]
    [InlineData("let $x = to_string(id) in [$x, 'c']", """{"other": 1}""")]
    [InlineData("let $t = tenant in items[*].[$t, id, 'x']", """{"items": [{"other": 1}]}""")]
    [InlineData("let $o = other in [id, 'c']", """{"other": 1}""")]
    [InlineData("to_string(id) || other[?x == 'y'].z", """{"other": [{"x": 1}]}""")]
    [InlineData("merge(not_null(a, `{}`), `{\"v\": 1}`)", "{}")]
    public void A_selection_of_nothing_is_no_key(string expression, string document) =>
        Assert.False(Select(expression, document).TakesPart);

    [Theory]
    [InlineData("'x'")]
    [InlineData("`1`")]
    [InlineData("['a', `2`]")]
    [InlineData("{a: 'b'}")]
    [InlineData("to_string('x')")]
    [InlineData("'a' || 'b'")]
    [InlineData("!`true`")]
    [InlineData("@ | 'x'")]
    [InlineData("a | 'x'")]
    [InlineData("a.to_string('x')")]
    [InlineData("let $a = id in 'x'")]
    [InlineData("let $a = 'x' in $a")]
    [InlineData("`[{\"a\": 1}]`[*].a")]
    public void An_expression_that_reads_nothing_is_refused_at_start_up(string expression) =>
        Assert.Contains("does not read the request", Assert.Throws<FormatException>(() => Language.Compile(expression)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("a.[", "syntax error at position 3: ")]
    [InlineData("lenght(a)", "unknown-function at position 0: ")]
    [InlineData("length(a, b)", "invalid-arity at position 0: ")]
    [InlineData("[id, $tenant]", "undefined-variable at position 5: ")]
    [InlineData("[let $t = a in $t, $t]", "undefined-variable at position 19: ")]
    [InlineData("let $t = $t in $t", "undefined-variable at position 9: ")]
    public void An_expression_that_is_not_valid_is_refused_with_position_and_reason(string expression, string message) =>
        Assert.StartsWith(message, Assert.ThrowsAny<FormatException>(() => Language.Compile(expression)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("join('-', [a, b])", """{"a": "4111"}""", "invalid-type at position 0: join() takes an array of strings, but got one that contains null.")]
    [InlineData("length(a)", "{}", "invalid-type at position 0: length() takes a string or an array or an object as argument 1, but got null.")]
    [InlineData("sort(a)", """{"a": ["4111", 1]}""", "invalid-type at position 0: sort() takes an array of numbers or of strings, but got a number and a string.")]
    [InlineData("powertools_json(a)", """{"a": "4111-"}""", "invalid-value at position 0: powertools_json() got text that is not JSON, or is nested deeper than 64 levels.")]
    public void What_cannot_be_applied_is_said_without_anything_of_the_document(string expression, string document, string message)
    {
        var selection = new ArrayBufferWriter<byte>();

        var refused = Assert.Throws<IdempotencySelectorException>(() => Language.Compile(expression).TrySelect(JsonElement.Parse(document), selection));

        Assert.Equal(message, refused.Message);
        Assert.DoesNotContain("4111", refused.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, selection.WrittenCount);
    }

    [Theory]
    [InlineData("headers.\"x-a\"", "x-a")]
    [InlineData("[headers.b, body.headers.c, headers.b]", "b")]
    [InlineData("headers.[a, b]", "a b")]
    [InlineData("headers | {x: a, y: b.c}", "a b")]
    [InlineData("headers.a || query.b", "a")]
    [InlineData("(headers || body).a", "a")]
    [InlineData("@.headers.a", "a")]
    [InlineData("let $h = headers, $q = query in [$h.a, $q.b]", "a")]
    [InlineData("to_string(headers.a)", "a")]
    [InlineData("items[?headers.a].id", "")]
    [InlineData("headers", "")]
    [InlineData("values(headers)", "")]
    [InlineData("query.a", "")]
    public void The_members_of_one_member_are_those_that_the_expression_shows(string expression, string names)
    {
        Assert.Equal(names, string.Join(' ', Language.Compile(expression).NamesUnder("headers")));
    }

    [Fact]
    public void One_value_has_one_text_and_different_values_have_different_ones()
    {
        Assert.Equal(Select("a", """{"a": ["\u0041", {"b":1}]}"""), Select("a", """{"a":["A",{ "b" : 1 }]}"""));

        string[] different = ["\"\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\\\ud800\"", "\"\\ufffd\"", "1", "\"1\"", "1e400", "1e401", "[1]", "true", "\"true\""];
        Assert.Equal(different.Length, different.Select(value => Select("a", $$"""{"a": {{value}}}""").Selection).Distinct().Count());
    }

    [Fact]
    public void AddJmesPath_registers_the_language_of_selectors_with_its_limits()
    {
        using var services = Services(options => options.MaxWork = 50);

        var selector = services.GetRequiredService<IIdempotencySelectorLanguage>().Compile("[*].a");

        Assert.Same(services.GetRequiredService<IIdempotencySelectorLanguage>(), services.GetRequiredService<IIdempotencySelectorLanguage>());
        Assert.True(selector.TrySelect(JsonElement.Parse("""[{"a": 1}]"""), new ArrayBufferWriter<byte>()));
        Assert.Throws<IdempotencySelectorException>(() => selector.TrySelect(JsonElement.Parse($"[{string.Join(",", Enumerable.Range(0, 60))}]"), new ArrayBufferWriter<byte>()));
    }

    [Fact]
    public void AddJmesPath_needs_no_options_and_may_be_called_twice()
    {
        using var services = Services(null);

        Assert.Single(services.GetServices<IIdempotencySelectorLanguage>());
        Assert.Equal(["a"], services.GetRequiredService<IIdempotencySelectorLanguage>().Compile("a").RootNames);
    }

    [Theory]
    [InlineData(0, 1, "JmesPathOptions.MaxDecodedSize must be greater than zero.")]
    [InlineData(1, 0, "JmesPathOptions.MaxWork must be greater than zero.")]
    public void Limits_that_are_none_fail_with_a_message_that_names_the_fix(int maxDecodedSize, int maxWork, string message)
    {
        using var services = Services(options => (options.MaxDecodedSize, options.MaxWork) = (maxDecodedSize, maxWork));

        var refused = Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IStartupValidator>().Validate());

        Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
        Assert.Contains("Set it to", refused.Message, StringComparison.Ordinal);
    }

    private static ServiceProvider Services(Action<JmesPathOptions>? configure)
    {
        var services = new ServiceCollection();
        services.AddIdempotency().AddJmesPath(configure).AddJmesPath(configure);
        return services.BuildServiceProvider();
    }

    private static (bool TakesPart, string Selection) Select(string expression, string document)
    {
        var selection = new ArrayBufferWriter<byte>();
        var takesPart = Language.Compile(expression).TrySelect(JsonElement.Parse(document), selection);
        return (takesPart, Encoding.UTF8.GetString(selection.WrittenSpan));
    }
}
