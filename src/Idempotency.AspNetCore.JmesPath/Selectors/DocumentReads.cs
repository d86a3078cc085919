namespace Idempotency.AspNetCore;

/// <summary>Determines from an expression alone what it reads from a document.</summary>
/// <remarks>
/// <para>Walking the tree at start-up determines two things.</para>
/// <para>1. Which members of the root does it name (<see cref="RootNames"/>), and which members of one of those (<see cref="NamesUnder"/>)?</para>
/// <para>2. Which of its parts select only from the document? (<see cref="Parts(Node)"/>) A constant next to an absent member, <c>['tenant', user_id]</c>, and a
/// function that returns a value for null, <c>to_string(user_id)</c>, would give the same key to all requests without the member. One of these parts must therefore select something.</para>
/// </remarks>
internal static class DocumentReads
{
    /// <summary>The members of the root that an expression names, in order.</summary>
    public static IReadOnlyCollection<string> RootNames(Node expression) => Names(expression, under: null);

    /// <summary>The members of one root member that an expression names, in order.</summary>
    public static IReadOnlyCollection<string> NamesUnder(Node expression, string rootName) => Names(expression, rootName);

    private static List<string> Names(Node expression, string? under)
    {
        var names = new List<string>();
        Walk(expression, Place.Root, null);
        return names;

        // Whether the result of a node is the root itself, or the member in question.
        Place Walk(Node node, Place at, Bound<Place>? scope)
        {
            switch (node)
            {
                case CurrentNode:
                    return at;
                case FieldNode field:
                    if (at.HasFlag(under is null ? Place.Root : Place.Member) && !names.Contains(field.Name))
                    {
                        names.Add(field.Name);
                    }

                    return at.HasFlag(Place.Root) && field.Name == under ? Place.Member : Place.Elsewhere;
                case ThenNode then:
                    return Walk(then.Right, Walk(then.Left, at, scope), scope);
                case ProjectionNode projection:
                    Walk(projection.Left, at, scope);
                    Walk(projection.Right, Place.Elsewhere, scope);
                    return Place.Elsewhere;
                case ValuesNode values:
                    Walk(values.Left, at, scope);
                    Walk(values.Right, Place.Elsewhere, scope);
                    return Place.Elsewhere;
                case FilterNode filter:
                    Walk(filter.Left, at, scope);
                    Walk(filter.Condition, Place.Elsewhere, scope);
                    Walk(filter.Right, Place.Elsewhere, scope);
                    return Place.Elsewhere;
                case IndexNode index:
                    Walk(index.Left, at, scope);
                    return Place.Elsewhere;
                case SliceNode slice:
                    Walk(slice.Left, at, scope);
                    return Place.Elsewhere;
                case FlattenNode flatten:
                    Walk(flatten.Left, at, scope);
                    return Place.Elsewhere;
                case OrNode or:
                    return Walk(or.Left, at, scope) | Walk(or.Right, at, scope);
                case AndNode and:
                    return Walk(and.Left, at, scope) | Walk(and.Right, at, scope);
                case NotNode not:
                    Walk(not.Operand, at, scope);
                    return Place.Elsewhere;
                case ComparisonNode comparison:
                    Walk(comparison.Left, at, scope);
                    Walk(comparison.Right, at, scope);
                    return Place.Elsewhere;
                case MultiSelectListNode list:
                    WalkAll(list.Items);
                    return Place.Elsewhere;
                case MultiSelectHashNode hash:
                    WalkAll(hash.Values);
                    return Place.Elsewhere;
                case CallNode call:
                    WalkAll(call.Arguments);
                    return Place.Elsewhere;
                case ReferenceNode reference:
                    Walk(reference.Expression, Place.Elsewhere, scope);
                    return Place.Elsewhere;
                case VariableNode variable:
                    return Bound<Place>.Find(scope, variable.Name)?.Holds ?? Place.Elsewhere;
                case LetNode let:
                    var inner = scope;
                    for (var i = 0; i < let.Names.Length; i++)
                    {
                        inner = new Bound<Place>(let.Names[i], Walk(let.Values[i], at, scope), inner);
                    }

                    return Walk(let.Body, at, inner);
                default:
                    return Place.Elsewhere;
            }

            void WalkAll(Node[] nodes)
            {
                foreach (var part in nodes)
                {
                    Walk(part, at, scope);
                }
            }
        }
    }

    /// <summary>
    /// Expressions, each to be applied to the root, that select the values that an expression reads, without its constants and the results of functions. Conditions
    /// of filters are not included: they are not part of the result. Empty if nothing is read.
    /// </summary>
    /// <remarks>For an expression that only selects, it is the expression itself.</remarks>
    public static IReadOnlyList<Node> Parts(Node expression) => Parts(expression, null);

    /// <summary>The first variable that no <c>let</c> defines, if there is one. The standard reports it during evaluation, but no variables come from outside here.</summary>
    public static VariableNode? Unbound(Node expression)
    {
        return Find(expression, null);

        static VariableNode? Find(Node node, Bound<bool>? scope)
        {
            if (node is VariableNode variable)
            {
                return Bound<bool>.Find(scope, variable.Name) is null ? variable : null;
            }

            var inner = scope;
            if (node is LetNode let)
            {
                foreach (var name in let.Names)
                {
                    inner = new Bound<bool>(name, true, inner);
                }
            }

            foreach (var child in Children(node))
            {
                if (Find(child, node is LetNode { Body: var body } && child == body ? inner : scope) is { } found)
                {
                    return found;
                }
            }

            return null;
        }
    }

    private static List<Node> Parts(Node node, Bound<bool>? scope)
    {
        if (OnlySelects(node, scope))
        {
            return [node];
        }

        switch (node)
        {
            case LiteralNode or VariableNode:
                return [];
            case ThenNode then:
                return Apply(then.Left, then.Right, part => new ThenNode(then.Left, part, then.Position));
            case ProjectionNode projection:
                return Apply(projection.Left, projection.Right, part => new ProjectionNode(projection.Left, part, projection.Position));
            case ValuesNode values:
                return Apply(values.Left, values.Right, part => new ValuesNode(values.Left, part, values.Position));
            case FilterNode filter:
                return Apply(filter.Left, filter.Right, part => new FilterNode(filter.Left, filter.Condition, part, filter.Position));
            case CallNode { Function.Name: "map" } map:
                return Apply(map.Arguments[1], ((ReferenceNode)map.Arguments[0]).Expression, part => new ProjectionNode(map.Arguments[1], part, map.Position));
            case LetNode let:
                return Let(let);
            default:
                var parts = new List<Node>();
                foreach (var child in Children(node))
                {
                    // The sort key of an element is not part of the result.
                    if (child is not ReferenceNode)
                    {
                        parts.AddRange(Parts(child, scope));
                    }
                }

                // A selection from a computed value may select nothing.
                return node is IndexNode or SliceNode or FlattenNode or CallNode { Function.OnlySelects: true } ? Guarded(parts, [node]) : parts;
        }

        // The parts of the right are applied to the result of the left, unless the right ignores it. If the left computes, the values that it reads must exist too.
        List<Node> Apply(Node left, Node right, Func<Node, Node> then)
        {
            var parts = Parts(right, scope).ConvertAll(part => then(part));
            return OnlySelects(left, scope) ? parts : Guarded(Parts(left, scope), parts);
        }

        List<Node> Guarded(List<Node> read, List<Node> selected) => read.Count > 0 && selected.Count > 0 ? [new GuardedNode(read, selected, node.Position)] : [];

        // A variable has the parts of its value. If the value was computed, the values that it reads must exist too.
        List<Node> Let(LetNode let)
        {
            var inner = scope;
            var computed = new List<(string Name, List<Node> Read)>();
            for (var i = 0; i < let.Names.Length; i++)
            {
                var selects = OnlySelects(let.Values[i], scope);
                List<Node> read = selects ? [] : Parts(let.Values[i], scope);
                inner = new Bound<bool>(let.Names[i], selects || read.Count > 0, inner);
                computed.Add((let.Names[i], read));
            }

            var parts = new List<Node>();
            foreach (var part in Parts(let.Body, inner))
            {
                var bound = new LetNode(let.Names, let.Values, part, let.Position);
                var read = computed.Where(variable => Mentions(part, variable.Name)).SelectMany(variable => variable.Read).ToList();
                parts.AddRange(read.Count > 0 ? Guarded(read, [bound]) : [bound]);
            }

            return parts;
        }
    }

    /// <summary>Whether all scalars of a result come from the document.</summary>
    private static bool OnlySelects(Node node, Bound<bool>? scope)
    {
        switch (node)
        {
            case LiteralNode or NotNode or ComparisonNode:
                return false;
            case CallNode { Function.OnlySelects: false, Function.Name: not "map" }:
                return false;
            case VariableNode variable:
                return Bound<bool>.Find(scope, variable.Name) is { Holds: true };
            case LetNode let:
                var inner = scope;
                for (var i = 0; i < let.Names.Length; i++)
                {
                    inner = new Bound<bool>(let.Names[i], OnlySelects(let.Values[i], scope), inner);
                }

                return OnlySelects(let.Body, inner);
            case FilterNode filter:
                return OnlySelects(filter.Left, scope) && OnlySelects(filter.Right, scope);
            case CallNode { Function.Name: "map" } map:
                return OnlySelects(((ReferenceNode)map.Arguments[0]).Expression, scope) && OnlySelects(map.Arguments[1], scope);
            default:
                foreach (var child in Children(node))
                {
                    if (child is not ReferenceNode && !OnlySelects(child, scope))
                    {
                        return false;
                    }
                }

                return true;
        }
    }

    private static bool Mentions(Node node, string variable)
    {
        if (node is VariableNode { Name: var name })
        {
            return name == variable;
        }

        foreach (var child in Children(node))
        {
            if (Mentions(child, variable))
            {
                return true;
            }
        }

        return false;
    }

    private static Node[] Children(Node node) => node switch
    {
        ThenNode then => [then.Left, then.Right],
        ProjectionNode projection => [projection.Left, projection.Right],
        ValuesNode values => [values.Left, values.Right],
        FilterNode filter => [filter.Left, filter.Condition, filter.Right],
        IndexNode index => [index.Left],
        SliceNode slice => [slice.Left],
        FlattenNode flatten => [flatten.Left],
        OrNode or => [or.Left, or.Right],
        AndNode and => [and.Left, and.Right],
        NotNode not => [not.Operand],
        ComparisonNode comparison => [comparison.Left, comparison.Right],
        MultiSelectListNode list => list.Items,
        MultiSelectHashNode hash => hash.Values,
        CallNode call => call.Arguments,
        ReferenceNode reference => [reference.Expression],
        LetNode let => [.. let.Values, let.Body],
        GuardedNode guarded => [.. guarded.Read, .. guarded.Selected],
        _ => [],
    };

    [Flags]
    private enum Place
    {
        Elsewhere = 0,
        Root = 1,
        Member = 2,
    }

    /// <summary>A variable, and the property of its value in question: that it is the root, or that it selects.</summary>
    private sealed record Bound<T>(string Name, T Holds, Bound<T>? Outer)
    {
        public static Bound<T>? Find(Bound<T>? scope, string name)
        {
            while (scope is not null && scope.Name != name)
            {
                scope = scope.Outer;
            }

            return scope;
        }
    }
}
