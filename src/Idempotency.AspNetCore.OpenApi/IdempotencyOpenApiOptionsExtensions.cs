using System.Runtime.CompilerServices;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.OpenApi;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts idempotency into the OpenAPI document.</summary>
public static class IdempotencyOpenApiOptionsExtensions
{
    // Twice on the same options (a library's defaults and the application's own) documents everything once.
    private static readonly ConditionalWeakTable<OpenApiOptions, IdempotencyOperationTransformer> Added = [];

    /// <summary>
    /// Documents, for exactly the endpoints that take part and by the policy of each: the key header, the refusals with their codes, examples
    /// and <c>Retry-After</c>, and the headers that mark answers. Other operations stay as they are, and so do all where
    /// <see cref="IdempotencyOptions.Enabled"/> is false.
    /// </summary>
    /// <remarks>
    /// What an operation already documents is completed, not replaced. Transformers that are added after this one see what it wrote, and may
    /// change it. Call it for each document: <c>builder.Services.AddOpenApi("v2", options => options.AddIdempotency())</c>. Without
    /// <c>builder.Services.AddIdempotency()</c> the document fails with a message that says so.
    /// </remarks>
    /// <param name="options">The options of a document, as <c>AddOpenApi()</c> gives them.</param>
    public static OpenApiOptions AddIdempotency(this OpenApiOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var transformer = new IdempotencyOperationTransformer();
        return Added.TryAdd(options, transformer) ? options.AddOperationTransformer(transformer) : options;
    }
}
