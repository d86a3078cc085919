using System.Buffers;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>An expression that selects a key, or the values that a retry must repeat.</summary>
/// <remarks>
/// <para>The rules for a selection:</para>
/// <para>1. A result without any string, number or boolean (<c>null</c>, <c>[]</c>, <c>[null, {}]</c>) is nothing.</para>
/// <para>2. So is a result that consists of constants only. If the expression has constants or functions, one of its parts that select from the document must select something too.</para>
/// <para>3. <c>0</c>, <c>false</c> and <c>""</c> are values, and a partial result counts.</para>
/// </remarks>
internal sealed class JmesPathSelector(JmesPathExpression expression, IReadOnlyList<Node> parts) : IIdempotencySelector
{
    private readonly bool _onlySelects = parts is [var only] && only == expression.Root;

    public IReadOnlyCollection<string> RootNames { get; } = DocumentReads.RootNames(expression.Root);

    public IReadOnlyCollection<string> NamesUnder(string rootName) => DocumentReads.NamesUnder(expression.Root, rootName);

    public bool TrySelect(JsonElement document, IBufferWriter<byte> selection)
    {
        try
        {
            var run = expression.Begin();
            var root = new Value(document);
            var result = expression.Root.Evaluate(root, run);
            var takesPart = GuardedNode.HasScalar(result, run, 0) && (_onlySelects || !GuardedNode.First(parts, root, run).IsNull);
            var json = new ArrayBufferWriter<byte>();
            JsonOutput.Write(result, run, json);
            selection.Write(json.WrittenSpan);
            return takesPart;
        }
        catch (JmesPathException exception)
        {
            throw new IdempotencySelectorException(exception.Message, exception);
        }
    }
}
