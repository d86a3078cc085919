using Idempotency.AspNetCore;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers JMESPath as the language of selectors.</summary>
public static class JmesPathIdempotencyBuilderExtensions
{
    /// <summary>
    /// Uses JMESPath for <see cref="IdempotencyPolicy.KeySelector"/> and <see cref="IdempotencyPolicy.FingerprintSelector"/>: <c>"[user.id, order_id]"</c>.
    /// </summary>
    /// <param name="builder">The idempotency builder.</param>
    /// <param name="configure">Configures the limits of an evaluation; null for the defaults.</param>
    public static IIdempotencyBuilder AddJmesPath(this IIdempotencyBuilder builder, Action<JmesPathOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<JmesPathOptions>()
            .Configure(configure ?? (static _ => { }))
            .Validate(static options => options.MaxDecodedSize > 0, JmesPathOptions.MaxDecodedSizeMessage)
            .Validate(static options => options.MaxWork > 0, JmesPathOptions.MaxWorkMessage)
            .ValidateOnStart();
        builder.Services.TryAddSingleton<IIdempotencySelectorLanguage, JmesPathSelectorLanguage>();
        return builder;
    }
}
