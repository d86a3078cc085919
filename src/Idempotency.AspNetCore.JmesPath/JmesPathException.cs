namespace Idempotency.AspNetCore;

/// <summary>
/// An expression is not valid, or cannot be applied to a document. The message names types, functions and positions, and nothing of the document: it may be shown to the client.
/// </summary>
public sealed class JmesPathException : FormatException
{
    internal JmesPathException(JmesPathError error, int position, string reason)
        : base($"{NameOf(error)} at position {position}: {reason}")
    {
        Error = error;
        Position = position;
    }

    /// <summary>What is wrong.</summary>
    public JmesPathError Error { get; }

    /// <summary>Where in the expression, counted in characters from 0.</summary>
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
