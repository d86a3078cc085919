using System.Runtime.CompilerServices;
using Idempotency.AspNetCore;
using Microsoft.AspNetCore.OpenApi;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds idempotency to OpenAPI documents.</summary>
public static class IdempotencyOpenApiOptionsExtensions
{
    // Calling it twice on the same options (by a library and by the application) documents everything once.
    private static readonly ConditionalWeakTable<OpenApiOptions, IdempotencyOperationTransformer> Added = [];

    /// <summary>
    /// Documents idempotency for the protected endpoints, by the policy of each: the key header, the problems with their codes, examples
    /// and <c>Retry-After</c>, and the headers of responses. Other operations are not changed. Nothing is documented if
    /// <see cref="IdempotencyOptions.Enabled"/> is false.
    /// </summary>
    /// <remarks>
    /// Existing documentation of an operation is extended, not replaced. Transformers that are added after this one see its output, and can
    /// change it. Call it for each document: <c>builder.Services.AddOpenApi("v2", options => options.AddIdempotency())</c>. Without
    /// <c>builder.Services.AddIdempotency()</c>, generating the document fails with a message that names the fix.
    /// </remarks>
    /// <param name="options">The options of a document, from <c>AddOpenApi()</c>.</param>
    public static OpenApiOptions AddIdempotency(this OpenApiOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var transformer = new IdempotencyOperationTransformer();
        return Added.TryAdd(options, transformer) ? options.AddOperationTransformer(transformer) : options;
    }
}
