using System.Buffers;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>A compiled JMESPath expression (jmespath.org, with <c>let</c> of JEP-18). Immutable and thread-safe.</summary>
public sealed class JmesPathExpression
{
    private readonly int _maxDecodedSize;
    private readonly int _maxWork;

    private JmesPathExpression(string expression, Node root, JmesPathOptions options)
    {
        Expression = expression;
        Root = root;
        _maxDecodedSize = options.MaxDecodedSize;
        _maxWork = options.MaxWork;
    }

    /// <summary>The text of the expression.</summary>
    public string Expression { get; }

    internal Node Root { get; }

    /// <summary>Compiles an expression.</summary>
    /// <param name="expression">The expression, for example <c>[user.id, items[*].sku]</c>. At most 16 384 characters and 256 levels.</param>
    /// <param name="options">The limits of its evaluation; null for the defaults. They are read once.</param>
    /// <exception cref="JmesPathException">The expression is not valid, or calls a function that does not exist or with invalid arguments.</exception>
    /// <exception cref="ArgumentException">A limit is not greater than zero.</exception>
    public static JmesPathExpression Parse(string expression, JmesPathOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(expression);
        options ??= new JmesPathOptions();
        if (options.MaxDecodedSize <= 0)
        {
            throw new ArgumentException(JmesPathOptions.MaxDecodedSizeMessage, nameof(options));
        }

        if (options.MaxWork <= 0)
        {
            throw new ArgumentException(JmesPathOptions.MaxWorkMessage, nameof(options));
        }

        return new JmesPathExpression(expression, Parser.Parse(expression), options);
    }

    /// <summary>Applies the expression to a document.</summary>
    /// <returns>
    /// The result, with the kind <see cref="JsonValueKind.Null"/> if nothing was selected. An unchanged value is an element of the document, and is valid as long as the document.
    /// </returns>
    /// <exception cref="JmesPathException">The standard defines it as an error, or a limit of <see cref="JmesPathOptions"/> was reached.</exception>
    public JsonElement Evaluate(JsonElement document)
    {
        var run = Begin();
        var result = Root.Evaluate(new Value(document), run);
        if (result.TryGetElement(out var element))
        {
            return element;
        }

        var json = new ArrayBufferWriter<byte>();
        JsonOutput.Write(result, run, json);
        return JsonElement.Parse(json.WrittenSpan, new JsonDocumentOptions { MaxDepth = Evaluation.MaxDepth });
    }

    internal Evaluation Begin() => new(_maxWork, _maxDecodedSize);

    /// <summary>Returns the text of the expression.</summary>
    public override string ToString() => Expression;
}
