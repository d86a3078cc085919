namespace Idempotency.AspNetCore;

/// <summary>
/// An expression is not valid, or cannot be applied to a document. The message contains types, functions and positions, and nothing of the document, so it can be returned to the client.
/// </summary>
public sealed class JmesPathException : FormatException
{
    internal JmesPathException(JmesPathError error, int position, string reason)
        : base($"{NameOf(error)} at position {position}: {reason}")
    {
        Error = error;
        Position = position;
    }

    /// <summary>The type of the error.</summary>
    public JmesPathError Error { get; }

    /// <summary>The position in the expression, in characters, starting at 0.</summary>
    public int Position { get; }

    private static string NameOf(JmesPathError error) => error switch
    {
        JmesPathError.UnknownFunction => "unknown-function",
        JmesPathError.InvalidArity => "invalid-arity",
        JmesPathError.InvalidType => "invalid-type",
        JmesPathError.InvalidValue => "invalid-value",
        JmesPathError.UndefinedVariable => "undefined-variable",
        _ => "syntax error",
    };
}
