using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore;

/// <summary>Configures idempotency: a store, and extensions. <c>AddIdempotency()</c> returns it.</summary>
public interface IIdempotencyBuilder
{
    /// <summary>The application's services.</summary>
    IServiceCollection Services { get; }
}
