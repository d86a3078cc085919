namespace Idempotency.AspNetCore;

/// <summary>One evaluation of an expression: the work that is left, and the variables in scope.</summary>
internal sealed class Evaluation(int maxWork, int maxDecodedSize)
{
    /// <summary>The maximum nesting of a value that is compared or written: more than documents (64) and expressions (256) together can produce.</summary>
    public const int MaxDepth = 512;

    public const int CharactersInAStep = 16;
    public const int MembersInAStep = 4;

    private long _left = maxWork;

    public int MaxDecodedSize => maxDecodedSize;

    /// <summary>The current position in the expression.</summary>
    public int Position { get; private set; }

    public Scope? Scope { get; set; }

    /// <summary>Starts the evaluation of an operator.</summary>
    public void Step(Node node)
    {
        Position = node.Position;
        Charge(1);
    }

    /// <summary>Charges steps before they are done.</summary>
    public void Charge(long steps)
    {
        if ((_left -= steps) < 0)
        {
            throw new JmesPathException(JmesPathError.InvalidValue, Position, $"The expression takes more than {maxWork} steps on this document. To allow more, increase JmesPathOptions.MaxWork.");
        }
    }

    public void Nest(int depth)
    {
        if (depth > MaxDepth)
        {
            throw new JmesPathException(JmesPathError.InvalidValue, Position, $"A value is nested deeper than {MaxDepth} levels.");
        }
    }
}
