namespace Idempotency.AspNetCore;

/// <summary>What is wrong, by the names of the JMESPath specification.</summary>
public enum JmesPathError
{
    /// <summary><c>syntax</c>: the expression is not one of the grammar, or it is longer or nested deeper than is allowed.</summary>
    Syntax,

    /// <summary><c>unknown-function</c>: there is no function of that name.</summary>
    UnknownFunction,

    /// <summary><c>invalid-arity</c>: a function is called with too few or too many arguments.</summary>
    InvalidArity,

    /// <summary><c>invalid-type</c>: a function is given an argument of a type that it does not take.</summary>
    InvalidType,

    /// <summary><c>invalid-value</c>: a value cannot be used: the step 0 of a slice, text that cannot be decoded, a result without bounds.</summary>
    InvalidValue,

    /// <summary><c>undefined-variable</c>: <c>$name</c> stands outside of the <c>let</c> that binds it.</summary>
    UndefinedVariable,
}
