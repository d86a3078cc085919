namespace Idempotency.AspNetCore;

/// <summary>
/// What is selected out of something that was computed: <c>powertools_json(body || '{}').id</c>. It is of the document when what the computation read is there (<paramref name="read"/>, one of it),
/// and it is there when the selection itself gives something (<paramref name="selected"/>, one of it). Either alone lets a constant stand for what is absent.
/// </summary>
internal sealed class GuardedNode(IReadOnlyList<Node> read, IReadOnlyList<Node> selected, int position) : Node(position, Deeper([.. read, .. selected]))
{
    public IReadOnlyList<Node> Read => read;

    public IReadOnlyList<Node> Selected => selected;

    public override Value Evaluate(Value current, Evaluation run) =>
        First(read, current, run).IsNull ? Value.Null : First(selected, current, run);

    /// <summary>The first of some parts' results with a string, number or boolean in it; null when none has.</summary>
    public static Value First(IReadOnlyList<Node> parts, Value current, Evaluation run)
    {
        var scope = run.Scope;
        foreach (var part in parts)
        {
            try
            {
                var value = part.Evaluate(current, run);
                if (HasScalar(value, run, 0))
                {
                    return value;
                }
            }
            catch (JmesPathException)
            {
                // A part that the expression itself had no need of, on the other side of an || for example: nothing of it is in the result.
                // Were it for too much work, writing the result would fail in its turn.
                run.Scope = scope;
            }
        }

        return Value.Null;
    }

    public static bool HasScalar(Value value, Evaluation run, int depth)
    {
        run.Charge(1);
        run.Nest(depth);
        switch (value.Kind)
        {
            case ValueKind.Null:
                return false;
            case ValueKind.Array:
                foreach (var item in value.Elements(run))
                {
                    if (HasScalar(item, run, depth + 1))
                    {
                        return true;
                    }
                }

                return false;
            case ValueKind.Object:
                var members = value.Members(run);
                for (var i = 0; i < members.Count; i++)
                {
                    if (HasScalar(members[i].Value, run, depth + 1))
                    {
                        return true;
                    }
                }

                return false;
            default:
                return true;
        }
    }
}
