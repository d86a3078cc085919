namespace Idempotency.AspNetCore;

/// <summary>
/// A selection from a computed value: <c>powertools_json(body || '{}').id</c>. It counts as part of the document if one of the values that the computation reads exists (<paramref name="read"/>)
/// and one of the selected values exists (<paramref name="selected"/>). With only one of these conditions, a constant could replace an absent value.
/// </summary>
internal sealed class GuardedNode(IReadOnlyList<Node> read, IReadOnlyList<Node> selected, int position) : Node(position, Deeper([.. read, .. selected]))
{
    public IReadOnlyList<Node> Read => read;

    public IReadOnlyList<Node> Selected => selected;

    public override Value Evaluate(Value current, Evaluation run) =>
        First(read, current, run).IsNull ? Value.Null : First(selected, current, run);

    /// <summary>The first result of the parts that contains a string, number or boolean; null if there is none.</summary>
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
                // A part that the expression did not need, for example on the other side of an ||: nothing of it is in the result.
                // If it failed because of too much work, writing the result would fail too.
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
