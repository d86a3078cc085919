using System.Text.Json;

namespace Idempotency.AspNetCore.JmesPath.Tests;

/// <summary>Runs tables of cases: an expression, and what it gives of a document or the name of its error.</summary>
internal static class Table
{
    /// <summary>What an expression gives of a document, as compact JSON, or its error as the specification calls it.</summary>
    public static string Run(string expression, string document, JmesPathOptions? options = null)
    {
        try
        {
            using var parsed = JsonDocument.Parse(document);
            return Compact(JmesPathExpression.Parse(expression, options).Evaluate(parsed.RootElement));
        }
        catch (JmesPathException exception)
        {
            return "error: " + Name(exception.Error);
        }
    }

    /// <summary>Fails unless a case gives what it should; of objects the order of members is no matter.</summary>
    public static void Check(string document, string expression, string expected)
    {
        var actual = Run(expression, document);
        if (actual != expected && (actual.StartsWith("error", StringComparison.Ordinal) || expected.StartsWith("error", StringComparison.Ordinal)
            || !JsonElement.DeepEquals(JsonElement.Parse(actual), JsonElement.Parse(expected))))
        {
            Assert.Fail($"{expression}\n  of  {document}\n  is  {actual}\n  not {expected}");
        }
    }

    private static string Compact(JsonElement element)
    {
        var json = new System.Buffers.ArrayBufferWriter<byte>();
        JsonOutput.Write(new Value(element), new Evaluation(int.MaxValue, int.MaxValue), json);
        return System.Text.Encoding.UTF8.GetString(json.WrittenSpan);
    }

    private static string Name(JmesPathError error) => error switch
    {
        JmesPathError.Syntax => "syntax",
        JmesPathError.UnknownFunction => "unknown-function",
        JmesPathError.InvalidArity => "invalid-arity",
        JmesPathError.InvalidType => "invalid-type",
        JmesPathError.InvalidValue => "invalid-value",
        _ => "undefined-variable",
    };
}
