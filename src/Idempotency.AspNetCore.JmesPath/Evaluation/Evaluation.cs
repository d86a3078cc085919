namespace Idempotency.AspNetCore;

/// <summary>One application of an expression to a document: how much it may still do, and which variables are bound.</summary>
internal sealed class Evaluation(int maxWork, int maxDecodedSize)
{
    /// <summary>How deep a value may be nested to be compared or written: more than documents (64) and expressions (256) together can build.</summary>
    public const int MaxDepth = 512;

    public const int CharactersInAStep = 16;
    public const int MembersInAStep = 4;

    private long _left = maxWork;

    public int MaxDecodedSize => maxDecodedSize;

    /// <summary>Where in the expression it is.</summary>
    public int Position { get; private set; }

    public Scope? Scope { get; set; }

    /// <summary>Comes to an operator.</summary>
    public void Step(Node node)
    {
        Position = node.Position;
        Charge(1);
    }

    /// <summary>Takes steps from what is left, before they are done.</summary>
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
