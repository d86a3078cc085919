namespace Idempotency.AspNetCore;

/// <summary>Compares two values: numbers as exact decimals, strings by code points, members in any order.</summary>
/// <remarks><c>JsonElement.DeepEquals</c> gives the same results, except that it throws on lone surrogates and exponents beyond 32 bits.</remarks>
internal static class Equality
{
    public static bool AreEqual(Value left, Value right, Evaluation run, int depth = 0)
    {
        run.Charge(1);
        run.Nest(depth);
        var kind = left.Kind;
        if (kind != right.Kind)
        {
            return false;
        }

        switch (kind)
        {
            case ValueKind.Null:
                return true;
            case ValueKind.Boolean:
                return left.IsTrue == right.IsTrue;
            case ValueKind.Number:
                run.Charge((left.Digits.Length + right.Digits.Length) / Evaluation.CharactersInAStep);
                return JsonNumber.Compare(left.Digits, right.Digits) == 0;
            case ValueKind.String:
                return left.Text(run) == right.Text(run);
            case ValueKind.Array:
                if (left.Count != right.Count)
                {
                    return false;
                }

                var others = right.Elements(run);
                foreach (var item in left.Elements(run))
                {
                    others.MoveNext();
                    if (!AreEqual(item, others.Current, run, depth + 1))
                    {
                        return false;
                    }
                }

                return true;
            default:
                var mine = left.Members(run);
                var theirs = right.Members(run);
                if (mine.Count != theirs.Count)
                {
                    return false;
                }

                for (var i = 0; i < mine.Count; i++)
                {
                    if (!theirs.TryFind(mine[i].Key, out var other) || !AreEqual(mine[i].Value, other, run, depth + 1))
                    {
                        return false;
                    }
                }

                return true;
        }
    }
}
