namespace Idempotency.AspNetCore;

/// <summary>A node of a compiled expression. Immutable: the state of an evaluation is in <see cref="Evaluation"/>.</summary>
/// <param name="position">Its position in the expression, for messages.</param>
/// <param name="depth">The number of nodes on the longest path down from here.</param>
internal abstract class Node(int position, int depth = 1)
{
    public int Position => position;

    public int Depth => depth;

    /// <summary>Applies this node to the current value.</summary>
    public abstract Value Evaluate(Value current, Evaluation run);

    protected static int Deeper(params ReadOnlySpan<Node> parts)
    {
        var deepest = 0;
        foreach (var part in parts)
        {
            deepest = Math.Max(deepest, part.Depth);
        }

        return deepest + 1;
    }
}

/// <summary><c>@</c>, and the element of a projection if nothing follows it.</summary>
internal sealed class CurrentNode(int position) : Node(position)
{
    public override Value Evaluate(Value current, Evaluation run) => current;
}

/// <summary><c>`json`</c> or <c>'text'</c>.</summary>
internal sealed class LiteralNode(Value value, int position) : Node(position)
{
    public override Value Evaluate(Value current, Evaluation run) => value;
}

/// <summary><c>name</c> or <c>"name"</c>: a member of an object; null for other types.</summary>
internal sealed class FieldNode(string name, int position) : Node(position)
{
    private readonly MemberName _name = new(name);

    public string Name => name;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        return current.Kind == ValueKind.Object ? current.Member(_name, run) : Value.Null;
    }
}

/// <summary><c>left.right</c> or <c>left | right</c>: the result of the left is the current node of the right.</summary>
internal sealed class ThenNode(Node left, Node right, int position) : Node(position, Deeper(left, right))
{
    public Node Left => left;

    public Node Right => right;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        return right.Evaluate(left.Evaluate(current, run), run);
    }
}

/// <summary><c>left[n]</c>: an element of an array; null for other types.</summary>
internal sealed class IndexNode(Node left, int index, int position) : Node(position, Deeper(left))
{
    public Node Left => left;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var array = left.Evaluate(current, run);
        return array.Kind == ValueKind.Array ? array.At(index, run) : Value.Null;
    }
}

/// <summary><c>left[start:stop:step]</c>, without the projection that it starts: some elements of an array, by the rules of Python; null for other types.</summary>
internal sealed class SliceNode(Node left, int? start, int? stop, int step, int position) : Node(position, Deeper(left))
{
    public Node Left => left;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var array = left.Evaluate(current, run);
        if (array.Kind != ValueKind.Array)
        {
            return Value.Null;
        }

        var all = new List<Value>(array.Count);
        foreach (var item in array.Elements(run))
        {
            all.Add(item);
        }

        // Before the first element is -1 for a negative step; after the last is Count for a positive step.
        var (lowest, highest) = step > 0 ? (0, all.Count) : (-1, all.Count - 1);
        var first = Bound(start, step > 0 ? lowest : highest);
        var end = Bound(stop, step > 0 ? highest : lowest);
        var selected = new List<Value>();
        for (long i = first; step > 0 ? i < end : i > end; i += step)
        {
            selected.Add(all[(int)i]);
        }

        return new Value(selected);

        long Bound(int? given, int otherwise) => given is not { } index ? otherwise : Math.Clamp(index < 0 ? (long)index + all.Count : index, lowest, highest);
    }
}

/// <summary><c>left[*]</c>, or the projection of a slice or <c>[]</c>: applies the right to each element of an array and returns the results that are not null.</summary>
internal sealed class ProjectionNode(Node left, Node right, int position) : Node(position, Deeper(left, right))
{
    public Node Left => left;

    public Node Right => right;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var array = left.Evaluate(current, run);
        if (array.Kind != ValueKind.Array)
        {
            return Value.Null;
        }

        var results = new List<Value>();
        foreach (var item in array.Elements(run))
        {
            var result = right.Evaluate(item, run);
            if (!result.IsNull)
            {
                results.Add(result);
            }
        }

        return new Value(results);
    }
}

/// <summary><c>left.*</c>: applies the right to each value of an object and returns the results that are not null.</summary>
internal sealed class ValuesNode(Node left, Node right, int position) : Node(position, Deeper(left, right))
{
    public Node Left => left;

    public Node Right => right;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var parent = left.Evaluate(current, run);
        if (parent.Kind != ValueKind.Object)
        {
            return Value.Null;
        }

        var members = parent.Members(run);
        var results = new List<Value>();
        for (var i = 0; i < members.Count; i++)
        {
            run.Charge(1);
            var result = right.Evaluate(members[i].Value, run);
            if (!result.IsNull)
            {
                results.Add(result);
            }
        }

        return new Value(results);
    }
}

/// <summary><c>left[?condition]</c>: applies the right to each element that meets the condition and returns the results that are not null.</summary>
internal sealed class FilterNode(Node left, Node condition, Node right, int position) : Node(position, Deeper(left, condition, right))
{
    public Node Left => left;

    public Node Condition => condition;

    public Node Right => right;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var array = left.Evaluate(current, run);
        if (array.Kind != ValueKind.Array)
        {
            return Value.Null;
        }

        var results = new List<Value>();
        foreach (var item in array.Elements(run))
        {
            if (condition.Evaluate(item, run).IsFalsy())
            {
                continue;
            }

            var result = right.Evaluate(item, run);
            if (!result.IsNull)
            {
                results.Add(result);
            }
        }

        return new Value(results);
    }
}

/// <summary><c>left[]</c>, without the projection that it starts: the elements of an array, with the elements of nested arrays in their place.</summary>
internal sealed class FlattenNode(Node left, int position) : Node(position, Deeper(left))
{
    public Node Left => left;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var array = left.Evaluate(current, run);
        if (array.Kind != ValueKind.Array)
        {
            return Value.Null;
        }

        var results = new List<Value>();
        foreach (var item in array.Elements(run))
        {
            if (item.Kind != ValueKind.Array)
            {
                results.Add(item);
                continue;
            }

            foreach (var inner in item.Elements(run))
            {
                results.Add(inner);
            }
        }

        return new Value(results);
    }
}

/// <summary><c>[a, b]</c>; null if the current node is null.</summary>
internal sealed class MultiSelectListNode(Node[] items, int position) : Node(position, Deeper(items))
{
    public Node[] Items => items;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        if (current.IsNull)
        {
            return Value.Null;
        }

        run.Charge(items.Length);
        var results = new List<Value>(items.Length);
        foreach (var item in items)
        {
            results.Add(item.Evaluate(current, run));
        }

        return new Value(results);
    }
}

/// <summary><c>{x: a, y: b}</c>; null if the current node is null.</summary>
internal sealed class MultiSelectHashNode(string[] names, Node[] values, int position) : Node(position, Deeper(values))
{
    public Node[] Values => values;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        if (current.IsNull)
        {
            return Value.Null;
        }

        run.Charge(values.Length);
        var members = new Members();
        for (var i = 0; i < values.Length; i++)
        {
            members.Set(names[i], values[i].Evaluate(current, run));
        }

        return new Value(members);
    }
}

/// <summary><c>left || right</c>.</summary>
internal sealed class OrNode(Node left, Node right, int position) : Node(position, Deeper(left, right))
{
    public Node Left => left;

    public Node Right => right;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var first = left.Evaluate(current, run);
        return first.IsFalsy() ? right.Evaluate(current, run) : first;
    }
}

/// <summary><c>left &amp;&amp; right</c>.</summary>
internal sealed class AndNode(Node left, Node right, int position) : Node(position, Deeper(left, right))
{
    public Node Left => left;

    public Node Right => right;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var first = left.Evaluate(current, run);
        return first.IsFalsy() ? first : right.Evaluate(current, run);
    }
}

/// <summary><c>!operand</c>.</summary>
internal sealed class NotNode(Node operand, int position) : Node(position, Deeper(operand))
{
    public Node Operand => operand;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        return Value.Of(operand.Evaluate(current, run).IsFalsy());
    }
}

/// <summary><c>left == right</c> and other comparisons. Values of any type can be equal; only numbers are ordered, and for other types the result is null.</summary>
internal sealed class ComparisonNode(TokenKind comparator, Node left, Node right, int position) : Node(position, Deeper(left, right))
{
    public Node Left => left;

    public Node Right => right;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var a = left.Evaluate(current, run);
        var b = right.Evaluate(current, run);
        if (comparator is TokenKind.Equal or TokenKind.NotEqual)
        {
            return Value.Of(Equality.AreEqual(a, b, run) == (comparator == TokenKind.Equal));
        }

        if (a.Kind != ValueKind.Number || b.Kind != ValueKind.Number)
        {
            return Value.Null;
        }

        run.Charge((a.Digits.Length + b.Digits.Length) / Evaluation.CharactersInAStep);
        var order = JsonNumber.Compare(a.Digits, b.Digits);
        return Value.Of(comparator switch
        {
            TokenKind.Less => order < 0,
            TokenKind.LessOrEqual => order <= 0,
            TokenKind.Greater => order > 0,
            _ => order >= 0,
        });
    }
}

/// <summary><c>let $a = x, $b = y in body</c>. The values are evaluated with the current node, and do not see each other.</summary>
internal sealed class LetNode(string[] names, Node[] values, Node body, int position) : Node(position, Deeper([body, .. values]))
{
    public string[] Names => names;

    public Node[] Values => values;

    public Node Body => body;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        var outer = run.Scope;
        var inner = outer;
        for (var i = 0; i < names.Length; i++)
        {
            inner = new Scope(names[i], values[i].Evaluate(current, run), inner);
        }

        run.Scope = inner;
        var result = body.Evaluate(current, run);
        run.Scope = outer;
        return result;
    }
}

/// <summary><c>$name</c>. Whether it is defined is only known here: the standard allows variables from outside.</summary>
internal sealed class VariableNode(string name, int position) : Node(position)
{
    public string Name => name;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        for (var scope = run.Scope; scope is not null; scope = scope.Outer)
        {
            run.Charge(1);
            if (scope.Name == name)
            {
                return scope.Value;
            }
        }

        throw new JmesPathException(JmesPathError.UndefinedVariable, Position, $"{name} is not defined by a let expression.");
    }
}

/// <summary><c>&amp;expression</c>, an argument of a function that applies it itself.</summary>
internal sealed class ReferenceNode(Node expression, int position) : Node(position, Deeper(expression))
{
    public Node Expression => expression;

    /// <summary>It has no value of its own: the function uses <see cref="Expression"/>.</summary>
    public override Value Evaluate(Value current, Evaluation run) => Value.Null;
}

/// <summary><c>function(a, b)</c>.</summary>
internal sealed class CallNode(Function function, Node[] arguments, int position) : Node(position, Deeper(arguments))
{
    public Function Function => function;

    public Node[] Arguments => arguments;

    public override Value Evaluate(Value current, Evaluation run)
    {
        run.Step(this);
        run.Charge(arguments.Length);
        var values = new Value[arguments.Length];
        for (var i = 0; i < arguments.Length; i++)
        {
            values[i] = arguments[i].Evaluate(current, run);
            function.Check(i, values[i].Kind, Position);
        }

        return function.Invoke(new Call(this, values, run));
    }
}
