namespace Idempotency.AspNetCore;

/// <summary>
/// The language of <see cref="IdempotencyPolicy.KeySelector"/> and <see cref="IdempotencyPolicy.FingerprintSelector"/>. It comes from a
/// package: <c>AddIdempotency().AddJmesPath()</c> from <c>Idempotency.AspNetCore.JmesPath</c>.
/// </summary>
public interface IIdempotencySelectorLanguage
{
    /// <summary>Compiles an expression. Called once per expression, at start-up.</summary>
    /// <param name="expression">The expression in the policy.</param>
    /// <exception cref="FormatException">The expression is not valid; the message describes where and why. The application does not start.</exception>
    IIdempotencySelector Compile(string expression);
}
