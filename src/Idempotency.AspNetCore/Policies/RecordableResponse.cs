using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>A finished response, for <see cref="IdempotencyPolicy.ShouldStore"/> to judge: its status and headers are final, and nothing has been sent.</summary>
public readonly struct RecordableResponse
{
    /// <summary>Describes a response; the library does so for each one, and a test of a policy may.</summary>
    /// <param name="httpContext">The request and its response.</param>
    /// <param name="body">The body.</param>
    public RecordableResponse(HttpContext httpContext, ReadOnlyMemory<byte> body)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        HttpContext = httpContext;
        Body = body;
    }

    /// <summary>The request, and its response with the final status and headers.</summary>
    public HttpContext HttpContext { get; }

    /// <summary>
    /// The body as the endpoint wrote it: encoded where a middleware behind <c>UseIdempotency()</c> compressed it. Empty when the response has none, answers HEAD, or streams to the
    /// client (it is over <see cref="IdempotencyPolicy.MaxResponseBodySize"/>, or its buffering was disabled). Valid during the call only: copy what you keep.
    /// </summary>
    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>The response's status code.</summary>
    public int StatusCode => HttpContext.Response.StatusCode;

    /// <summary>What is decided without a <see cref="IdempotencyPolicy.ShouldStore"/>, by <see cref="IdempotencyPolicy.IsStoredByDefault"/>. A function that only makes an exception begins or ends with it.</summary>
    public bool IsStoredByDefault => IdempotencyPolicy.IsStoredByDefault(StatusCode);
}
