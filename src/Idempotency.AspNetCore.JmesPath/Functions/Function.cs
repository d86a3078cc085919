using System.Collections.Frozen;

namespace Idempotency.AspNetCore;

/// <summary>A function: its name, its parameters and its implementation.</summary>
internal sealed class Function(string name, Func<Call, Value> body, params Accepts[] parameters)
{
    private static readonly FrozenDictionary<string, Function> All = BuiltInFunctions.All.Concat(DecodingFunctions.All).ToFrozenDictionary(function => function.Name, StringComparer.Ordinal);

    public string Name => name;

    /// <summary>Whether the last parameter can be repeated; it is required at least once.</summary>
    public bool IsVariadic { get; init; }

    /// <summary>Whether its result consists only of parts of its arguments: it selects, sorts, parses or decodes, and adds nothing.</summary>
    public bool OnlySelects { get; init; }

    /// <summary>Finds the function of a call. Errors that do not depend on a document are found here, so that they fail at start-up.</summary>
    public static Function Resolve(Token called, List<Node> arguments)
    {
        if (!All.TryGetValue(called.Text, out var function))
        {
            throw new JmesPathException(JmesPathError.UnknownFunction, called.Position, $"The function {called.Text}() does not exist.");
        }

        function.CheckCall(called.Position, arguments);
        return function;
    }

    public Value Invoke(Call call) => body(call);

    public void Check(int argument, ValueKind kind, int position)
    {
        var accepts = Parameter(argument);
        if (accepts != Accepts.Reference && (accepts & (Accepts)(1 << (int)kind)) == 0)
        {
            throw new JmesPathException(JmesPathError.InvalidType, position, $"{name}() takes {Named(accepts)} as argument {argument + 1}, but got {Described(kind)}.");
        }
    }

    public static string TypeName(ValueKind kind) => kind switch
    {
        ValueKind.Null => "null",
        ValueKind.Boolean => "boolean",
        ValueKind.Number => "number",
        ValueKind.String => "string",
        ValueKind.Array => "array",
        _ => "object",
    };

    /// <summary>A type with its article, for messages.</summary>
    public static string Described(ValueKind kind) => kind switch
    {
        ValueKind.Null => "null",
        ValueKind.Array or ValueKind.Object => "an " + TypeName(kind),
        _ => "a " + TypeName(kind),
    };

    private Accepts Parameter(int argument) => parameters[Math.Min(argument, parameters.Length - 1)];

    private void CheckCall(int position, List<Node> arguments)
    {
        if (arguments.Count < parameters.Length || (arguments.Count > parameters.Length && !IsVariadic))
        {
            var least = IsVariadic ? "at least " : "";
            throw new JmesPathException(JmesPathError.InvalidArity, position, $"{name}() takes {least}{parameters.Length} {(parameters.Length == 1 ? "argument" : "arguments")}, but got {arguments.Count}.");
        }

        for (var i = 0; i < arguments.Count; i++)
        {
            var takesReference = Parameter(i) == Accepts.Reference;
            if (takesReference != arguments[i] is ReferenceNode)
            {
                throw new JmesPathException(JmesPathError.InvalidType, arguments[i].Position, takesReference ? $"{name}() takes an expression, &..., as argument {i + 1}." : $"{name}() does not take an expression, &..., as argument {i + 1}.");
            }
        }
    }

    private static string Named(Accepts accepts)
    {
        var names = new List<string>();
        foreach (var kind in Enum.GetValues<ValueKind>())
        {
            if ((accepts & (Accepts)(1 << (int)kind)) != 0)
            {
                names.Add(Described(kind));
            }
        }

        return string.Join(" or ", names);
    }
}
