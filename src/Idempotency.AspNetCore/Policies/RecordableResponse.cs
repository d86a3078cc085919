using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>A finished response, as passed to <see cref="IdempotencyPolicy.ShouldStore"/>: its status and headers are final, and nothing has been sent.</summary>
public readonly struct RecordableResponse
{
    /// <summary>Creates the description of a response. The library does so for each response; tests of a policy can too.</summary>
    /// <param name="httpContext">The request and its response.</param>
    /// <param name="body">The response body.</param>
    public RecordableResponse(HttpContext httpContext, ReadOnlyMemory<byte> body)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        HttpContext = httpContext;
        Body = body;
    }

    /// <summary>The request, and the response with its final status and headers.</summary>
    public HttpContext HttpContext { get; }

    /// <summary>
    /// The body as the endpoint wrote it, encoded if middleware after <c>UseIdempotency()</c> compressed it. Empty if the response has no body, responds to HEAD, or is streamed to the
    /// client because it exceeds <see cref="IdempotencyPolicy.MaxResponseBodySize"/> or its buffering was disabled. Valid only during the call: copy the data that you need longer.
    /// </summary>
    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>The status code of the response.</summary>
    public int StatusCode => HttpContext.Response.StatusCode;

    /// <summary>The default decision, by <see cref="IdempotencyPolicy.IsStoredByDefault"/>. Use it in a <see cref="IdempotencyPolicy.ShouldStore"/> that only adds exceptions to the default rule.</summary>
    public bool IsStoredByDefault => IdempotencyPolicy.IsStoredByDefault(StatusCode);
}
