using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>A request as it was sent, cached with its response: a byte-identical retry is recognized without computing a fingerprint.</summary>
/// <remarks>It contains everything that <see cref="RequestIdentity.FingerprintOf"/> depends on except the method and the path, which the stored key covers.</remarks>
internal sealed class SeenRequest
{
    // Larger bodies are not cached, because the cache is for responses.
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
        // A pooled array is used again. One of a body of unknown length can be up to 2048 times larger: only the body is cached and counted.
        _body = body.IsRented || (MemoryMarshal.TryGetArray(body.Bytes, out var array) && array.Array!.Length > body.Bytes.Length) ? body.Bytes.ToArray() : body.Bytes;
    }

    /// <summary>The memory it takes, in bytes.</summary>
    public long Size => 150 + _body.Length + (2 * ((_query?.Length ?? 0) + (_contentType?.Length ?? 0) + (_contentEncoding?.Length ?? 0)));

    /// <summary>The length of the cached array, for tests: never more than is counted.</summary>
    internal int MemoryTaken => MemoryMarshal.TryGetArray(_body, out var array) ? array.Array!.Length : 0;

    /// <summary>Creates the entry, unless the request is too large, or other parts of it count than are compared here.</summary>
    public static SeenRequest? Of(HttpContext context, IdempotencyPolicy policy, RequestBody body) =>
        body.Bytes.Length <= LargestBody && CoversAll(policy) ? new SeenRequest(context, policy.Fingerprint, body) : null;

    /// <summary>Whether a request is byte-identical, and therefore has the same fingerprint. If not, its fingerprint can still be the same.</summary>
    public bool Equals(HttpContext context, IdempotencyPolicy policy, RequestBody body) =>
        _mode == policy.Fingerprint && CoversAll(policy)
        && _isParsedForm == body.IsParsedForm
        && _body.Span.SequenceEqual(body.Bytes.Span)
        && _query == context.Request.QueryString.Value
        && _contentType == context.Request.ContentType
        && _contentEncoding == context.Request.Headers.ContentEncoding;

    private static bool CoversAll(IdempotencyPolicy policy) => policy is { FingerprintSelector: null, FingerprintHeaders.Count: 0 };
}
