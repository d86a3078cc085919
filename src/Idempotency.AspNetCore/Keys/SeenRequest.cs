using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>A request as it was sent, kept beside its answer: a retry that is the same to the byte needs no fingerprint to be recognised.</summary>
/// <remarks>It holds everything that <see cref="RequestIdentity.FingerprintOf"/> depends on, less the method and the path, which the stored key covers.</remarks>
internal sealed class SeenRequest
{
    // Larger bodies are not kept: the cache is for answers.
    private const int LargestBody = 64 * 1024;

    private readonly RequestFingerprintMode _mode;
    private readonly string? _query;
    private readonly string? _contentType;
    private readonly string? _contentEncoding;
    private readonly bool _isParsedForm;
    private readonly ReadOnlyMemory<byte> _body;

    private SeenRequest(HttpContext context, RequestFingerprintMode mode, RequestBody body)
    {
        _mode = mode;
        _query = context.Request.QueryString.Value;
        _contentType = context.Request.ContentType;
        _contentEncoding = context.Request.Headers.ContentEncoding;
        _isParsedForm = body.IsParsedForm;
        // A body of unannounced length comes in an array that is larger than it, up to 2048 times: only the body is kept, and counted.
        _body = MemoryMarshal.TryGetArray(body.Bytes, out var array) && array.Array!.Length > body.Bytes.Length ? body.Bytes.ToArray() : body.Bytes;
    }

    /// <summary>The memory it takes, in bytes.</summary>
    public long Size => 150 + _body.Length + (2 * ((_query?.Length ?? 0) + (_contentType?.Length ?? 0) + (_contentEncoding?.Length ?? 0)));

    /// <summary>The length of the array that is kept, for tests: never more than is counted.</summary>
    internal int MemoryTaken => MemoryMarshal.TryGetArray(_body, out var array) ? array.Array!.Length : 0;

    /// <summary>Keeps a request, unless it is too large, or more of it may count than is compared here.</summary>
    public static SeenRequest? Of(HttpContext context, IdempotencyPolicy policy, RequestBody body) =>
        body.Bytes.Length <= LargestBody && CoversAll(policy) ? new SeenRequest(context, policy.Fingerprint, body) : null;

    /// <summary>Whether a request is the same to the byte, and so has the same fingerprint. When not, its fingerprint may still be the same.</summary>
    public bool Equals(HttpContext context, IdempotencyPolicy policy, RequestBody body) =>
        _mode == policy.Fingerprint && CoversAll(policy)
        && _isParsedForm == body.IsParsedForm
        && _body.Span.SequenceEqual(body.Bytes.Span)
        && _query == context.Request.QueryString.Value
        && _contentType == context.Request.ContentType
        && _contentEncoding == context.Request.Headers.ContentEncoding;

    private static bool CoversAll(IdempotencyPolicy policy) => policy is { FingerprintSelector: null, FingerprintHeaders.Count: 0 };
}
