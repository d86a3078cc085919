using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace Idempotency.AspNetCore;

/// <summary>Documents one operation: 1. its policy; 2. the key; 3. the headers of its responses; 4. the problems.</summary>
internal sealed class IdempotencyOperationTransformer : IOpenApiOperationTransformer
{
    public Task TransformAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        if (context.ApplicationServices.GetService<IIdempotencyRecords>() is null)
        {
            throw new InvalidOperationException($"The OpenAPI document '{context.DocumentName}' describes idempotency, but the idempotency services are not registered. Call builder.Services.AddIdempotency(), or remove options.AddIdempotency() from AddOpenApi().");
        }

        if (DocumentedEndpoint.Of(context.Description, context.ApplicationServices) is { } endpoint)
        {
            KeyDescription.AddTo(operation, endpoint);
            AnswerMarks.AddTo(operation, context.Description.HttpMethod, endpoint); // before the problems: only the operation's own responses have these headers
            ProblemResponses.AddTo(operation, context.Description.HttpMethod, endpoint, context.Document);
        }

        return Task.CompletedTask;
    }
}
