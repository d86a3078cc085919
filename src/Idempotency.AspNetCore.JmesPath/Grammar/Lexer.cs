using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>Splits an expression into tokens.</summary>
/// <remarks>
/// <c>[]</c> and <c>[?</c> are one token each, as in the grammar: <c>[ ]</c> and <c>[ ?</c> are errors.
/// </remarks>
internal sealed class Lexer(string expression)
{
    private readonly List<Token> _tokens = [];
    private int _next;

    public static List<Token> Tokenize(string expression)
    {
        var lexer = new Lexer(expression);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_next < expression.Length)
        {
            var start = _next;
            var c = expression[_next++];
            switch (c)
            {
                case ' ' or '\t' or '\n' or '\r':
                    break;
                case '.':
                    Add(TokenKind.Dot, start);
                    break;
                case '*':
                    Add(TokenKind.Star, start);
                    break;
                case ']':
                    Add(TokenKind.CloseBracket, start);
                    break;
                case '{':
                    Add(TokenKind.OpenBrace, start);
                    break;
                case '}':
                    Add(TokenKind.CloseBrace, start);
                    break;
                case '(':
                    Add(TokenKind.OpenParenthesis, start);
                    break;
                case ')':
                    Add(TokenKind.CloseParenthesis, start);
                    break;
                case ',':
                    Add(TokenKind.Comma, start);
                    break;
                case ':':
                    Add(TokenKind.Colon, start);
                    break;
                case '@':
                    Add(TokenKind.Current, start);
                    break;
                case '[':
                    Add(Follows(']') ? TokenKind.Flatten : Follows('?') ? TokenKind.Filter : TokenKind.OpenBracket, start);
                    break;
                case '&':
                    Add(Follows('&') ? TokenKind.And : TokenKind.Reference, start);
                    break;
                case '|':
                    Add(Follows('|') ? TokenKind.Or : TokenKind.Pipe, start);
                    break;
                case '!':
                    Add(Follows('=') ? TokenKind.NotEqual : TokenKind.Not, start);
                    break;
                case '=':
                    Add(Follows('=') ? TokenKind.Equal : TokenKind.Assign, start);
                    break;
                case '<':
                    Add(Follows('=') ? TokenKind.LessOrEqual : TokenKind.Less, start);
                    break;
                case '>':
                    Add(Follows('=') ? TokenKind.GreaterOrEqual : TokenKind.Greater, start);
                    break;
                case '"':
                    QuotedIdentifier(start);
                    break;
                case '\'':
                    RawString(start);
                    break;
                case '`':
                    Literal(start);
                    break;
                case '$':
                    if (_next == expression.Length || !StartsName(expression[_next]))
                    {
                        throw Error(start, "'$' must be followed by the name of a variable.");
                    }

                    _next++;
                    EndOfName();
                    _tokens.Add(new Token(TokenKind.Variable, start, expression[start.._next]));
                    break;
                case '-' or (>= '0' and <= '9'):
                    Number(start);
                    break;
                default:
                    if (!StartsName(c))
                    {
                        throw Error(start, $"{Shown(start)} is not expected here. Enclose a name with characters other than ASCII letters, digits and '_' in double quotes.");
                    }

                    EndOfName();
                    _tokens.Add(new Token(TokenKind.Identifier, start, expression[start.._next]));
                    break;
            }
        }

        _tokens.Add(new Token(TokenKind.End, expression.Length, "the end of the expression"));
    }

    private static bool StartsName(char c) => char.IsAsciiLetter(c) || c == '_';

    private void EndOfName()
    {
        while (_next < expression.Length && (char.IsAsciiLetterOrDigit(expression[_next]) || expression[_next] == '_'))
        {
            _next++;
        }
    }

    private bool Follows(char c)
    {
        if (_next < expression.Length && expression[_next] == c)
        {
            _next++;
            return true;
        }

        return false;
    }

    private void Number(int start)
    {
        while (_next < expression.Length && char.IsAsciiDigit(expression[_next]))
        {
            _next++;
        }

        var text = expression[start.._next];
        if (text == "-")
        {
            throw Error(start, "'-' must be followed by a digit.");
        }

        // No array has an element there; the index must only not wrap around to an existing one.
        var number = int.TryParse(text, out var fits) ? fits : text[0] == '-' ? int.MinValue : int.MaxValue;
        _tokens.Add(new Token(TokenKind.Number, start, text, number));
    }

    private void QuotedIdentifier(int start)
    {
        SkipTo('"', start, "The quoted name is not closed with '\"'.");
        if (!TryParse(expression.AsSpan(start, _next - start), out var name))
        {
            throw Error(start, "The quoted name is not a valid JSON string. Use JSON escapes, and escape control characters.");
        }

        _tokens.Add(new Token(TokenKind.QuotedIdentifier, start, JsonString.Of(name)));
    }

    /// <summary>
    /// Backticks enclose JSON, in which a backtick is escaped as <c>\`</c>. A bare word is a string: JEP-12 deprecates it and leaves it to implementations, but existing
    /// expressions use it often. Without a word, it is the empty string. Content that starts like an array, an object or a string must be valid JSON.
    /// </summary>
    private void Literal(int start)
    {
        SkipTo('`', start, "The literal is not closed with '`'.");
        var content = expression.AsSpan(start + 1, _next - start - 2);
        var json = new StringBuilder(content.Length);
        for (var i = 0; i < content.Length; i++)
        {
            if (content[i] == '\\')
            {
                i++;
                json.Append(content[i] == '`' ? "`" : content.Slice(i - 1, 2));
            }
            else
            {
                json.Append(content[i]);
            }
        }

        var text = json.ToString().TrimStart();
        if (!TryParse(text, out var value) && (text is ['[' or '{' or '"', ..] || !TryParse($"\"{text}\"", out value)))
        {
            throw Error(start, "The literal is not valid JSON. In backticks, enclose a string in double quotes, `\"like this\"`, or write it 'like this'.");
        }

        _tokens.Add(new Token(TokenKind.Literal, start, "a literal", 0, new Value(value)));
    }

    /// <summary>In a raw string, <c>\'</c> is a quote; every other backslash is literal, including one before another backslash.</summary>
    private void RawString(int start)
    {
        SkipTo('\'', start, "The string is not closed with a single quote.");
        var content = expression.AsSpan(start + 1, _next - start - 2);
        var text = new StringBuilder(content.Length);
        for (var i = 0; i < content.Length; i++)
        {
            if (content[i] == '\\')
            {
                i++;
                text.Append(content[i] == '\'' ? "'" : content.Slice(i - 1, 2));
            }
            else
            {
                text.Append(content[i]);
            }
        }

        _tokens.Add(new Token(TokenKind.Literal, start, "a string", 0, new Value(text.ToString())));
    }

    /// <summary>Moves past the closing delimiter; a backslash escapes the next character.</summary>
    private void SkipTo(char delimiter, int start, string otherwise)
    {
        while (_next < expression.Length)
        {
            var c = expression[_next++];
            if (c == delimiter)
            {
                return;
            }

            if (c == '\\' && _next < expression.Length)
            {
                _next++;
            }
        }

        throw Error(start, otherwise);
    }

    private static bool TryParse(ReadOnlySpan<char> json, out JsonElement element)
    {
        try
        {
            element = JsonElement.Parse(json);
            return true;
        }
        catch (JsonException)
        {
            element = default;
            return false;
        }
    }

    private void Add(TokenKind kind, int start) => _tokens.Add(new Token(kind, start, $"'{expression[start.._next]}'"));

    private string Shown(int position) =>
        char.IsControl(expression[position]) ? $"The control character U+{(int)expression[position]:X4}" : $"'{(char.IsSurrogatePair(expression, position) ? expression.Substring(position, 2) : expression[position].ToString())}'";

    private static JmesPathException Error(int position, string reason) => new(JmesPathError.Syntax, position, reason);
}
