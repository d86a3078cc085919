using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore;

/// <summary>What <c>AddIdempotency()</c> returns: stores and extensions hang on it.</summary>
public interface IIdempotencyBuilder
{
    /// <summary>The application's services.</summary>
    IServiceCollection Services { get; }
}
