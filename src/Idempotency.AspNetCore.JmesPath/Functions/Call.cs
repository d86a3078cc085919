namespace Idempotency.AspNetCore;

/// <summary>A function call: its arguments and its position.</summary>
internal readonly record struct Call(CallNode Node, Value[] Arguments, Evaluation Run)
{
    public Value First => Arguments[0];

    public Value Second => Arguments[1];

    public int Position => Node.Position;

    /// <summary>The expression of an argument <c>&amp;expression</c>.</summary>
    public Node Reference(int argument) => ((ReferenceNode)Node.Arguments[argument]).Expression;

    public JmesPathException InvalidType(string reason) => new(JmesPathError.InvalidType, Position, $"{Node.Function.Name}() {reason}");

    public JmesPathException InvalidValue(string reason) => new(JmesPathError.InvalidValue, Position, $"{Node.Function.Name}() {reason}");
}
