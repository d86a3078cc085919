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
            throw new JmesPathException(JmesPathError.UndefinedVariable, variable.Position, $"{variable.Name} is not defined by a let expression.");
        }

        var parts = DocumentReads.Parts(compiled.Root);
        return parts.Count == 0
            ? throw new FormatException("The expression does not read the request, so its result would be the same for all requests. Refer to a member of the body or of the envelope.")
            : new JmesPathSelector(compiled, parts);
    }
}
