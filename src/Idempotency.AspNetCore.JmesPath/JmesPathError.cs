namespace Idempotency.AspNetCore;

/// <summary>The type of an error, with the names of the JMESPath specification.</summary>
public enum JmesPathError
{
    /// <summary><c>syntax</c>: the expression does not follow the grammar, or is too long or nested too deeply.</summary>
    Syntax,

    /// <summary><c>unknown-function</c>: the function does not exist.</summary>
    UnknownFunction,

    /// <summary><c>invalid-arity</c>: a function is called with too few or too many arguments.</summary>
    InvalidArity,

    /// <summary><c>invalid-type</c>: a function is called with an argument of an invalid type.</summary>
    InvalidType,

    /// <summary><c>invalid-value</c>: a value cannot be used, such as a slice step of 0, text that cannot be decoded, or a result that is out of range.</summary>
    InvalidValue,

    /// <summary><c>undefined-variable</c>: <c>$name</c> is used outside the <c>let</c> that defines it.</summary>
    UndefinedVariable,
}
