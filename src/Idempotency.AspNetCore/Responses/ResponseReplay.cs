using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>Replays a recorded response.</summary>
internal sealed class ResponseReplay(ResponseRulesCache allRules, CompletedRecords completed, Rejections rejections, Telemetry telemetry, Incidents incidents, ILogger<ResponseReplay> logger)
{
    // The headers of the corresponding 200 that a cache needs from a 304 (RFC 9110 section 15.4.5); the others are omitted with the body.
    private static readonly string[] OfNotModified = [HeaderNames.ETag, HeaderNames.CacheControl, HeaderNames.ContentLocation, HeaderNames.Expires, HeaderNames.Vary];

    /// <summary>Whether a request is identical, byte for byte, to the one that a record was last replayed to. Its fingerprint is then the same, too.</summary>
    public static bool IsRepeated(CompletedRecord record, HttpContext context, IdempotencyPolicy policy, RequestBody body) =>
        record.Decoded is StoredResponse { Request: { } request } && request.Equals(context, policy, body);

    /// <summary>Replays a record, or rejects the request if it cannot be replayed.</summary>
    /// <param name="context">The request.</param>
    /// <param name="policy">Its policy.</param>
    /// <param name="requestBody">Its body; null if the handler may have changed the request, so that it must not be recognized later.</param>
    /// <param name="storeKey">The key of the record.</param>
    /// <param name="record">The record.</param>
    public async Task ReplayAsync(HttpContext context, IdempotencyPolicy policy, RequestBody? requestBody, StoreKey storeKey, CompletedRecord record)
    {
        if (policy.AuthorizeReplay is { } authorize && !await IsAuthorizedAsync(context, authorize, requestBody))
        {
            await rejections.RejectAsync(context, IdempotencyProblem.ReplayForbidden);
            return;
        }

        var stored = record.Decoded as StoredResponse;
        var hasGrown = stored is null;
        if (stored is null)
        {
            if (StoredResponse.Decode(record.Payload, out var reason) is not { } decoded)
            {
                incidents.RecordUnreadable(logger, storeKey, reason);
                await rejections.RejectAsync(context, IdempotencyProblem.RecordUnreadable);
                return;
            }

            decoded.Request = requestBody is { } asked ? SeenRequest.Of(context, policy, asked) : null;
            record.Decoded = stored = decoded;
        }

        var isBodyNew = false;
        var rules = allRules.Of(policy);
        var body = stored.IsBodyKept ? stored.BodyWith(rules.Flag, out isBodyNew) : default;
        if (hasGrown || isBodyNew)
        {
            completed.Set(storeKey, record); // the decoded form is cached for the next replay, and its size counted
        }

        if (!stored.IsBodyKept)
        {
            await rejections.RejectAsync(context, IdempotencyProblem.ResponseUnavailable);
            return;
        }

        if (!record.IsRecorded)
        {
            context.Response.Headers[IdempotencyHeaders.Stored] = "false"; // as in the first response
        }

        requestBody?.Return(); // pooled only where nothing but this class and the fingerprint reads it
        telemetry.RequestEnded(context, Telemetry.Replayed);
        Log.Replayed(logger, storeKey);
        await WriteAsync(context, policy, rules, stored, body, completed.RetentionLeft(record));
    }

    private async ValueTask<bool> IsAuthorizedAsync(HttpContext context, Func<HttpContext, ValueTask<bool>> authorize, RequestBody? requestBody)
    {
        requestBody?.GiveBackTo(context);
        try
        {
            return await authorize(context);
        }
        catch
        {
            telemetry.RequestEnded(context, Telemetry.Failed);
            throw;
        }
    }

    /// <summary>Sends the recorded status, headers and body, marked as a replay. The outer pipeline adds its own headers as to any response.</summary>
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

            Mark(response, policy, rules, stored, retentionLeft, isDecoded);
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

        Mark(response, policy, rules, stored, retentionLeft, isDecoded);

        // An empty response is not started, like the first one: outer middleware can add to it (status code pages do).
        if (body.Length > 0 && !HttpMethods.IsHead(context.Request.Method))
        {
            response.ContentLength = body.Length;
            await response.BodyWriter.WriteAsync(body);
        }
    }

    /// <summary>Whether the client already has this response. For other methods, <c>If-None-Match</c> is a precondition of the operation (RFC 9110 section 13.1.2), which the first request met or not.</summary>
    private static bool IsNotModified(HttpRequest request, IdempotencyPolicy policy, StoredResponse stored) =>
        policy.AnswerNotModified
        && stored.Status is >= 200 and < 300
        && request.Headers.IfNoneMatch is { Count: > 0 } ifNoneMatch
        && (HttpMethods.IsPost(request.Method) || HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method))
        && stored.Header(HeaderNames.ETag) is [{ } etag]
        && EntityTag.IsListed(ifNoneMatch, etag);

    /// <summary>Sets what clients can cache: nothing, unless the handler or the policy allows it.</summary>
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

    private static void Mark(HttpResponse response, IdempotencyPolicy policy, ResponseRules rules, StoredResponse stored, TimeSpan retentionLeft, bool isDecoded)
    {
        response.Headers[IdempotencyHeaders.Replayed] = "true";
        if (isDecoded)
        {
            RepresentationHeaders.Decode(response.Headers);
        }

        // Never weaker than the first response: the handler's cache directives are part of the response, and a no-store of the outer pipeline applies.
        var first = stored.Find(HeaderNames.CacheControl);
        if (first is { Values.Count: > 0 } || HeaderList.Contains(response.Headers.CacheControl, "no-store"))
        {
            return;
        }

        // Other cache directives of the outer pipeline on the first response apply too, but not those for this request. And a response that is marked as not recorded must not be cached.
        if (policy.ClientCaching && first is not { IsAppended: true } && !response.Headers.ContainsKey(IdempotencyHeaders.Stored))
        {
            SetClientCaching(response, rules, retentionLeft);
        }
        else
        {
            response.Headers.CacheControl = "no-store";
        }
    }
}
