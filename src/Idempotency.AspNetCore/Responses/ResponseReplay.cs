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
        var etag = stored.Header(HeaderNames.ETag);
        if (policy.AnswerNotModified && stored.Status is >= 200 and < 300 && etag.Count == 1
            && context.Request.Headers.IfNoneMatch is { Count: > 0 } ifNoneMatch && EntityTag.IsListed(ifNoneMatch, etag.ToString()))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            foreach (var header in stored.Headers)
            {
                if (OfNotModified.Contains(header.Name, StringComparer.OrdinalIgnoreCase))
                {
                    header.ApplyTo(response.Headers);
                }
            }

            Mark(response, policy, rules, stored, retentionLeft);
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

        Mark(response, policy, rules, stored, retentionLeft);

        // An empty answer is left unstarted, as the first was: the middleware outside may add to it (status code pages do).
        if (body.Length > 0 && !HttpMethods.IsHead(context.Request.Method))
        {
            response.ContentLength = body.Length;
            await response.BodyWriter.WriteAsync(body);
        }
    }

    /// <summary>What clients may keep: nothing, unless the handler or the policy says otherwise.</summary>
    public static void SetClientCaching(HttpResponse response, ResponseRules rules, TimeSpan retentionLeft)
    {
        response.Headers.CacheControl = "private, max-age=" + ((long)retentionLeft.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        if (rules.VaryingHeaders.Count > 0)
        {
            var named = response.Headers.GetCommaSeparatedValues(HeaderNames.Vary);
            foreach (var header in rules.VaryingHeaders)
            {
                if (!named.Contains(header, StringComparer.OrdinalIgnoreCase))
                {
                    response.Headers.Append(HeaderNames.Vary, header);
                }
            }
        }
    }

    private static void Mark(HttpResponse response, IdempotencyPolicy policy, ResponseRules rules, StoredResponse stored, TimeSpan retentionLeft)
    {
        response.Headers[IdempotencyHeaders.Replayed] = "true";
        if (!StringValues.IsNullOrEmpty(stored.Header(HeaderNames.CacheControl)))
        {
            return;
        }

        if (policy.ClientCaching)
        {
            SetClientCaching(response, rules, retentionLeft);
        }
        else
        {
            response.Headers.CacheControl = "no-store";
        }
    }
}
