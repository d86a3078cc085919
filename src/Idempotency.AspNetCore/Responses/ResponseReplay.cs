using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>Gives a recorded answer again.</summary>
internal static class ResponseReplay
{
    // Of a 304, the headers of the 200 it stands for that a cache needs (RFC 9110 section 15.4.5); the others go with the body.
    private static readonly string[] OfNotModified = [HeaderNames.ETag, HeaderNames.CacheControl, HeaderNames.ContentLocation, HeaderNames.Expires, HeaderNames.Vary];

    /// <summary>Answers with the recorded status, headers and body, and marks it a replay. The outer pipeline adds its own headers as it does to any answer.</summary>
    public static async ValueTask WriteAsync(HttpContext context, IdempotencyPolicy policy, ResponseRules rules, StoredResponse stored, ReadOnlyMemory<byte> body, TimeSpan retentionLeft)
    {
        var response = context.Response;
        var isDecoded = false;
        if (stored.Header(HeaderNames.ContentEncoding) is { Count: > 0 } coding && body.Length > 0
            && ContentCoding.IsRefused(coding, stored.Header(HeaderNames.Vary), context.Request.Headers.AcceptEncoding)
            && ContentCoding.Decode(body, coding, policy.MaxResponseBodySize) is { } decoded)
        {
            body = decoded;
            isDecoded = true;
        }

        RepresentationHeaders.RemoveFrom(response.Headers, rules);
        if (IsNotModified(context.Request, policy, stored))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            foreach (var header in stored.Headers)
            {
                if (OfNotModified.Contains(header.Name, StringComparer.OrdinalIgnoreCase))
                {
                    header.ApplyTo(response.Headers);
                }
            }

            Mark(response, policy, stored, retentionLeft, isDecoded);
            return;
        }

        response.StatusCode = stored.Status;
        if (stored.ReasonPhrase.Length > 0)
        {
            response.HttpContext.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = stored.ReasonPhrase;
        }

        foreach (var header in stored.Headers)
        {
            header.ApplyTo(response.Headers);
        }

        Mark(response, policy, stored, retentionLeft, isDecoded);

        // An empty answer is left unstarted, as the first was: the middleware outside may add to it (status code pages do).
        if (body.Length > 0 && !HttpMethods.IsHead(context.Request.Method))
        {
            response.ContentLength = body.Length;
            await response.BodyWriter.WriteAsync(body);
        }
    }

    /// <summary>Whether the client has this answer already. With other methods than these <c>If-None-Match</c> is a precondition of the operation (RFC 9110 section 13.1.2), which the first request met or not.</summary>
    private static bool IsNotModified(HttpRequest request, IdempotencyPolicy policy, StoredResponse stored) =>
        policy.AnswerNotModified
        && stored.Status is >= 200 and < 300
        && request.Headers.IfNoneMatch is { Count: > 0 } ifNoneMatch
        && (HttpMethods.IsPost(request.Method) || HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method))
        && stored.Header(HeaderNames.ETag) is [{ } etag]
        && EntityTag.IsListed(ifNoneMatch, etag);

    /// <summary>What clients may keep: nothing, unless the handler or the policy says otherwise.</summary>
    public static void SetClientCaching(HttpResponse response, IdempotencyPolicy policy, TimeSpan retentionLeft)
    {
        response.Headers.CacheControl = "private, max-age=" + ((long)retentionLeft.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        if (policy.TakesKeyFromHeader && !response.Headers.GetCommaSeparatedValues(HeaderNames.Vary).Contains(policy.HeaderName, StringComparer.OrdinalIgnoreCase))
        {
            response.Headers.Append(HeaderNames.Vary, policy.HeaderName);
        }
    }

    private static void Mark(HttpResponse response, IdempotencyPolicy policy, StoredResponse stored, TimeSpan retentionLeft, bool isDecoded)
    {
        response.Headers[IdempotencyHeaders.Replayed] = "true";
        if (isDecoded)
        {
            RepresentationHeaders.Decode(response.Headers);
        }

        // Never weaker than the first answer: what the handler says of caching is part of the answer, and an outer no-store stands.
        var first = stored.Find(HeaderNames.CacheControl);
        if (first is { Values.Count: > 0 } || HeaderList.Contains(response.Headers.CacheControl, "no-store"))
        {
            return;
        }

        // So does what else the outer pipeline said on the first answer, though not what it says to this request. And what was marked as not recorded was not to be kept.
        if (policy.ClientCaching && first is not { IsAppended: true } && !response.Headers.ContainsKey(IdempotencyHeaders.Stored))
        {
            SetClientCaching(response, policy, retentionLeft);
        }
        else
        {
            response.Headers.CacheControl = "no-store";
        }
    }
}
