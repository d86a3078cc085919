namespace Idempotency.AspNetCore;

/// <summary>
/// The language in which <see cref="IdempotencyPolicy.KeySelector"/> and <see cref="IdempotencyPolicy.FingerprintSelector"/> are written. A package
/// brings it: <c>AddIdempotency().AddJmesPath()</c> of <c>Idempotency.AspNetCore.JmesPath</c>.
/// </summary>
public interface IIdempotencySelectorLanguage
{
    /// <summary>Compiles an expression, once, at start-up.</summary>
    /// <param name="expression">What stands in the policy.</param>
    /// <exception cref="FormatException">It is not valid; the message says where and why. The application does not start.</exception>
    IIdempotencySelector Compile(string expression);
}
