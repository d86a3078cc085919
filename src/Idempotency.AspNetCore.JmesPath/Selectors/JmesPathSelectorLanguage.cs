using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>JMESPath as the language of <see cref="IdempotencyPolicy.KeySelector"/> and <see cref="IdempotencyPolicy.FingerprintSelector"/>.</summary>
internal sealed class JmesPathSelectorLanguage(IOptions<JmesPathOptions> options) : IIdempotencySelectorLanguage
{
    public IIdempotencySelector Compile(string expression)
    {
        var compiled = JmesPathExpression.Parse(expression, options.Value);
        if (DocumentReads.Unbound(compiled.Root) is { } variable)
        {
            throw new JmesPathException(JmesPathError.UndefinedVariable, variable.Position, $"{variable.Name} is not bound here by a let.");
        }

        var parts = DocumentReads.Parts(compiled.Root);
        return parts.Count == 0
            ? throw new FormatException("The expression reads nothing of the request: what it gives would be the same for all requests. Name a member of the body or of the envelope.")
            : new JmesPathSelector(compiled, parts);
    }
}
