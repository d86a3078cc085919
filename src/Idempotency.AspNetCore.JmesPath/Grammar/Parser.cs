namespace Idempotency.AspNetCore;

/// <summary>Parses an expression with operator precedence (a Pratt parser).</summary>
/// <remarks>
/// <para>The binding power of the operators that can follow an expression, from the loosest:</para>
/// <para><c>|</c> 1, <c>||</c> 2, <c>&amp;&amp;</c> 3, comparisons 5, [the operand of <c>!</c>] 8, <c>[]</c> 9, [what a projection goes on with] 20, <c>[?</c> 21, <c>.</c> 40, <c>[</c> 55.</para>
/// <para>A projection (<c>[*]</c>, <c>.*</c>, a slice, a filter, a flatten) takes everything that follows and binds tighter than 9, and applies it to each element:
/// <c>[]</c> ends it, and so do comparisons, <c>&amp;&amp;</c>, <c>||</c>, <c>|</c> and a closing parenthesis.</para>
/// <para>A multi-select directly after it ends it too: <c>a[*].[b, c][0]</c> is the first pair. The standard does not specify this; all reference implementations do it, and
/// otherwise <c>a[*].{x: b}[0]</c> would select nothing.</para>
/// <para><c>!</c> includes names, indices and projections: <c>!a.b[0]</c> is <c>!(a.b[0])</c>, <c>!a == b</c> is <c>(!a) == b</c>.</para>
/// <para>The depth is that of the tree, not of the text: <c>a.b.c</c> and <c>((a))</c> count one level per step, because the evaluation recurses once for each.</para>
/// </remarks>
internal sealed class Parser
{
    public const int MaxLength = 16 * 1024;
    public const int MaxDepth = 256;

    private const int AfterNot = 8;
    private const int AfterFlatten = 9;
    private const int AfterProjection = 20;

    private readonly List<Token> _tokens;
    private int _next;
    private int _nesting;

    private Parser(List<Token> tokens) => _tokens = tokens;

    private Token Current => _tokens[_next];

    public static Node Parse(string expression)
    {
        if (expression.Length > MaxLength)
        {
            throw new JmesPathException(JmesPathError.Syntax, MaxLength, $"The expression is longer than {MaxLength} characters.");
        }

        for (var i = 0; i < expression.Length; i++)
        {
            if (char.IsSurrogatePair(expression, i))
            {
                i++;
            }
            else if (char.IsSurrogate(expression[i]))
            {
                throw new JmesPathException(JmesPathError.Syntax, i, "An unpaired surrogate is not allowed. Write it as an escape, \\uD800, in double quotes.");
            }
        }

        var parser = new Parser(Lexer.Tokenize(expression));
        var root = parser.Expression(0);
        return parser.Current.Kind == TokenKind.End ? root : throw parser.Unexpected("an operator, or the end of the expression");
    }

    private Node Expression(int binding)
    {
        if (++_nesting > MaxDepth)
        {
            throw TooDeep(Current.Position);
        }

        var left = Start();
        while (Binding(Current.Kind) > binding)
        {
            left = Continue(left);
        }

        _nesting--;
        return left;
    }

    private static int Binding(TokenKind kind) => kind switch
    {
        TokenKind.Pipe => 1,
        TokenKind.Or => 2,
        TokenKind.And => 3,
        TokenKind.Equal or TokenKind.NotEqual or TokenKind.Less or TokenKind.LessOrEqual or TokenKind.Greater or TokenKind.GreaterOrEqual => 5,
        TokenKind.Flatten => AfterFlatten,
        TokenKind.Filter => 21,
        TokenKind.Dot => 40,
        TokenKind.OpenBracket => 55,
        _ => 0,
    };

    /// <summary>Parses the start of an expression.</summary>
    private Node Start()
    {
        var token = Take();
        switch (token.Kind)
        {
            case TokenKind.Literal:
                return new LiteralNode(token.Literal, token.Position);
            case TokenKind.Identifier when token.Text == "let" && Current.Kind == TokenKind.Variable:
                return Let(token.Position);
            case TokenKind.Identifier when Current.Kind == TokenKind.OpenParenthesis:
                return Call(token);
            case TokenKind.Identifier or TokenKind.QuotedIdentifier:
                return new FieldNode(token.Text, token.Position);
            case TokenKind.Variable:
                return new VariableNode(token.Text, token.Position);
            case TokenKind.Current:
                return new CurrentNode(token.Position);
            case TokenKind.Not:
                return Bounded(new NotNode(Expression(AfterNot), token.Position));
            case TokenKind.OpenParenthesis:
                var inner = Expression(0);
                Expect(TokenKind.CloseParenthesis, "')'");
                return inner;
            case TokenKind.OpenBrace:
                return MultiSelectHash(token.Position);
            case TokenKind.Star:
                return Bounded(new ValuesNode(new CurrentNode(token.Position), Projected(AfterProjection), token.Position));
            case TokenKind.Flatten:
                return Flatten(new CurrentNode(token.Position), token.Position);
            case TokenKind.Filter:
                return Filter(new CurrentNode(token.Position), token.Position);
            case TokenKind.OpenBracket when Current.Kind is TokenKind.Number or TokenKind.Colon || (Current.Kind == TokenKind.Star && _tokens[_next + 1].Kind == TokenKind.CloseBracket):
                return Bracket(new CurrentNode(token.Position), token.Position);
            case TokenKind.OpenBracket:
                return MultiSelectList(token.Position);
            case TokenKind.Reference:
                throw new JmesPathException(JmesPathError.Syntax, token.Position, "'&' is only allowed before an argument of a function.");
            default:
                throw Unexpected("an expression", token);
        }
    }

    /// <summary>Parses an operator that follows an expression.</summary>
    private Node Continue(Node left)
    {
        var token = Take();
        switch (token.Kind)
        {
            case TokenKind.Dot when Current.Kind == TokenKind.Star:
                Take();
                return Bounded(new ValuesNode(left, Projected(AfterProjection), token.Position));
            case TokenKind.Dot:
                var right = AfterADot();
                return left is CurrentNode ? right : Bounded(new ThenNode(left, right, token.Position));
            case TokenKind.Pipe:
                return Bounded(new ThenNode(left, Expression(1), token.Position));
            case TokenKind.Or:
                return Bounded(new OrNode(left, Expression(2), token.Position));
            case TokenKind.And:
                return Bounded(new AndNode(left, Expression(3), token.Position));
            case TokenKind.Flatten:
                return Flatten(left, token.Position);
            case TokenKind.Filter:
                return Filter(left, token.Position);
            case TokenKind.OpenBracket:
                return Bracket(left, token.Position);
            default:
                return Bounded(new ComparisonNode(token.Kind, left, Expression(5), token.Position));
        }
    }

    private ProjectionNode Flatten(Node left, int position) =>
        Bounded(new ProjectionNode(Bounded(new FlattenNode(left, position)), Projected(AfterFlatten), position));

    private FilterNode Filter(Node left, int position)
    {
        var condition = Expression(0);
        Expect(TokenKind.CloseBracket, "']' after the condition");
        return Bounded(new FilterNode(left, condition, Projected(AfterProjection), position));
    }

    /// <summary>Parses an index, a slice or <c>[*]</c> after its <c>[</c>.</summary>
    private Node Bracket(Node left, int position)
    {
        if (Current.Kind == TokenKind.Star)
        {
            Take();
            Expect(TokenKind.CloseBracket, "']'");
            return Bounded(new ProjectionNode(left, Projected(AfterProjection), position));
        }

        int? first = Current.Kind == TokenKind.Number ? Take().Number : null;
        if (first is { } index && Current.Kind == TokenKind.CloseBracket)
        {
            Take();
            return Bounded(new IndexNode(left, index, position));
        }

        if (Current.Kind != TokenKind.Colon)
        {
            throw Unexpected(first is null ? "a number, ':' or '*'; members are selected with a dot, .[a, b]" : "']' or ':'");
        }

        Take();
        int? stop = Current.Kind == TokenKind.Number ? Take().Number : null;
        int? step = null;
        if (Current.Kind == TokenKind.Colon)
        {
            Take();
            step = Current.Kind == TokenKind.Number ? Take().Number : null;
        }

        Expect(TokenKind.CloseBracket, "']' of the slice");
        return step == 0
            ? throw new JmesPathException(JmesPathError.InvalidValue, position, "The step of a slice cannot be 0.")
            : Bounded(new ProjectionNode(Bounded(new SliceNode(left, first, stop, step ?? 1, position)), Projected(AfterProjection), position));
    }

    /// <summary>Parses the expression that a projection applies to each element: everything that follows and binds tightly enough.</summary>
    private Node Projected(int binding)
    {
        if (++_nesting > MaxDepth)
        {
            throw TooDeep(Current.Position);
        }

        Node right = new CurrentNode(Current.Position);
        if (Current.Kind == TokenKind.Dot && _tokens[_next + 1].Kind is TokenKind.OpenBracket or TokenKind.OpenBrace)
        {
            Take();
            right = AfterADot();
        }
        else
        {
            while (Binding(Current.Kind) > binding)
            {
                right = Continue(right);
            }
        }

        _nesting--;
        return right;
    }

    /// <summary>Parses the right side of a dot. In <c>.[*]</c>, unlike <c>[*]</c>, the brackets are a list with one item: the values of an object.</summary>
    private Node AfterADot()
    {
        var token = Current;
        switch (token.Kind)
        {
            case TokenKind.Identifier or TokenKind.QuotedIdentifier:
                Take();
                return token.Kind == TokenKind.Identifier && Current.Kind == TokenKind.OpenParenthesis ? Call(token) : new FieldNode(token.Text, token.Position);
            case TokenKind.OpenBracket:
                Take();
                return MultiSelectList(token.Position);
            case TokenKind.OpenBrace:
                Take();
                return MultiSelectHash(token.Position);
            default:
                throw Unexpected("a name, '*', '[', '{' or a function after '.'");
        }
    }

    private MultiSelectListNode MultiSelectList(int position)
    {
        var items = new List<Node>();
        do
        {
            items.Add(Expression(0));
        }
        while (TakeIf(TokenKind.Comma));

        Expect(TokenKind.CloseBracket, "',' or ']'");
        return Bounded(new MultiSelectListNode([.. items], position));
    }

    private MultiSelectHashNode MultiSelectHash(int position)
    {
        var names = new List<string>();
        var values = new List<Node>();
        do
        {
            if (Current.Kind is not (TokenKind.Identifier or TokenKind.QuotedIdentifier))
            {
                throw Unexpected("the name of a member");
            }

            names.Add(Take().Text);
            Expect(TokenKind.Colon, "':' after the member's name");
            values.Add(Expression(0));
        }
        while (TakeIf(TokenKind.Comma));

        Expect(TokenKind.CloseBrace, "',' or '}'");
        return Bounded(new MultiSelectHashNode([.. names], [.. values], position));
    }

    private LetNode Let(int position)
    {
        var names = new List<string>();
        var values = new List<Node>();
        do
        {
            if (Current.Kind != TokenKind.Variable)
            {
                throw Unexpected("a variable, $name");
            }

            names.Add(Take().Text);
            Expect(TokenKind.Assign, "'=' after the variable");
            values.Add(Expression(0));
        }
        while (TakeIf(TokenKind.Comma));

        if (Current.Kind != TokenKind.Identifier || Current.Text != "in")
        {
            throw Unexpected("',' or 'in'");
        }

        Take();
        return Bounded(new LetNode([.. names], [.. values], Expression(0), position));
    }

    private CallNode Call(Token name)
    {
        Expect(TokenKind.OpenParenthesis, "'('");
        var arguments = new List<Node>();
        if (!TakeIf(TokenKind.CloseParenthesis))
        {
            do
            {
                var token = Current;
                arguments.Add(TakeIf(TokenKind.Reference) ? Bounded(new ReferenceNode(Expression(0), token.Position)) : Expression(0));
            }
            while (TakeIf(TokenKind.Comma));

            Expect(TokenKind.CloseParenthesis, "',' or ')'");
        }

        return Bounded(new CallNode(Function.Resolve(name, arguments), [.. arguments], name.Position));
    }

    private Token Take()
    {
        var token = Current;

        // The parser never moves past the end: the next read finds it again and reports it.
        _next = Math.Min(_next + 1, _tokens.Count - 1);
        return token;
    }

    private bool TakeIf(TokenKind kind)
    {
        if (Current.Kind != kind)
        {
            return false;
        }

        Take();
        return true;
    }

    private void Expect(TokenKind kind, string what)
    {
        if (!TakeIf(kind))
        {
            throw Unexpected(what);
        }
    }

    private static T Bounded<T>(T node)
        where T : Node => node.Depth <= MaxDepth ? node : throw TooDeep(node.Position);

    private static JmesPathException TooDeep(int position) => new(JmesPathError.Syntax, position, $"The expression is nested deeper than {MaxDepth} levels.");

    private JmesPathException Unexpected(string expected) => Unexpected(expected, Current);

    private static JmesPathException Unexpected(string expected, Token token)
    {
        var found = token.Kind is TokenKind.Identifier or TokenKind.QuotedIdentifier or TokenKind.Variable or TokenKind.Number ? $"'{token.Text}'" : token.Text;
        return new JmesPathException(JmesPathError.Syntax, token.Position, $"Expected {expected}, but found {found}.");
    }
}
