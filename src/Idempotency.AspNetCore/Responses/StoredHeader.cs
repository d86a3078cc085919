using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>A response header that the endpoint set.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Values">Its values, one per field line, in order. None: the endpoint removed the values of the outer pipeline, or, if they are appended, left them as they were.</param>
/// <param name="IsAppended">Whether the endpoint added the values to those of the outer pipeline, instead of setting the header.</param>
internal readonly record struct StoredHeader(string Name, StringValues Values, bool IsAppended)
{
    private static readonly FrozenSet<string> NeverStored = new[]
    {
        // Cookies belong to one browser session; a replay can go to another device of the same user, or come after a sign-out.
        "Set-Cookie", "Set-Cookie2", "Clear-Site-Data",
        // Hop-by-hop: they describe the connection of the first response (RFC 9110 section 7.6.1). Names listed in Connection are added below.
        "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
        // Recomputed from the response that is sent, and the time when it is sent.
        "Content-Length", "Date", "Age",
        // A challenge or its proof is valid for one exchange.
        "WWW-Authenticate", "Proxy-Authenticate", "Authentication-Info", "Proxy-Authentication-Info",
        // Depend on the origin of the request, which can differ for a replay. (Access-Control-* below.)
        "Timing-Allow-Origin",
        // Describe the server, or the current path to it.
        "Strict-Transport-Security", "Server", "Via", "Alt-Svc",
        // They identify, trace or time one exchange: in a replay, they would identify the first request instead. First those of standards, then those of frameworks, clouds and proxies. (X-B3-* below.)
        "traceparent", "tracestate", "traceresponse", "baggage", "Request-Id", "Correlation-Id", "Correlation-Context", "Request-Context", "Server-Timing",
        "X-Request-Id", "X-RequestId", "X-Correlation-Id", "X-CorrelationId", "Trace-Id", "X-Trace-Id", "X-TraceId", "X-Span-Id", "X-Response-Time", "X-Runtime",
        "client-request-id", "X-Client-Request-Id", "x-ms-request-id", "x-ms-client-request-id", "x-ms-correlation-request-id", "x-ms-correlation-id",
        "x-amz-request-id", "x-amz-id-2", "x-amzn-RequestId", "x-amzn-Trace-Id", "x-amz-cf-id", "X-Cloud-Trace-Context", "CF-Ray", "Fly-Request-Id", "X-Vercel-Id", "X-Datadog-Trace-Id", "X-Datadog-Parent-Id",
        "b3", "uber-trace-id", "sentry-trace", "elastic-apm-traceparent", "newrelic",
        // They sign the sent message, with a time; a replay differs in both.
        "Signature", "Signature-Input",
        // The library's own headers are set for each response.
        IdempotencyHeaders.Replayed, IdempotencyHeaders.Stored,
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Collects the changes that the endpoint made to the headers, without those that are never stored.</summary>
    /// <param name="response">The response, after the endpoint's <c>OnStarting</c> callbacks and before those of the outer pipeline.</param>
    /// <param name="before">The headers before the endpoint ran.</param>
    /// <param name="rules">The policy's exclusions.</param>
    /// <param name="stored">Receives the headers.</param>
    public static void AddAll(HttpResponse response, Dictionary<string, StringValues> before, ResponseRules rules, List<StoredHeader> stored)
    {
        var connection = response.Headers.Connection;
        foreach (var (name, values) in response.Headers)
        {
            if (!IsStored(name, response, connection, rules))
            {
                continue;
            }

            if (!before.TryGetValue(name, out var outer))
            {
                stored.Add(new StoredHeader(name, values, IsAppended: false));
            }
            else if (RepresentationHeaders.Contain(name))
            {
                stored.Add(new StoredHeader(name, values, IsAppended: false));
            }
            else if (StartsWith(values, outer))
            {
                // A Cache-Control that the endpoint did not change is recorded too: a replay must not be weaker.
                if (values.Count > outer.Count || name.Equals("Cache-Control", StringComparison.OrdinalIgnoreCase))
                {
                    stored.Add(new StoredHeader(name, values.ToArray()[outer.Count..], IsAppended: true));
                }
            }
            else
            {
                stored.Add(new StoredHeader(name, values, IsAppended: false));
            }
        }

        foreach (var (name, _) in before)
        {
            if (!response.Headers.ContainsKey(name) && IsStored(name, response, connection, rules))
            {
                stored.Add(new StoredHeader(name, StringValues.Empty, IsAppended: false));
            }
        }
    }

    /// <summary>Applies the endpoint's change to a response.</summary>
    public void ApplyTo(IHeaderDictionary headers)
    {
        if (IsAppended)
        {
            headers.Append(Name, Values);
        }
        else if (Values.Count == 0)
        {
            headers.Remove(Name);
        }
        else
        {
            headers[Name] = Values;
        }
    }

    private static bool IsStored(string name, HttpResponse response, StringValues connection, ResponseRules rules)
    {
        if (name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
        {
            // A response to HEAD has no body to compute it from, so it is the length that the handler sets for the body of a GET.
            return HttpMethods.IsHead(response.HttpContext.Request.Method);
        }

        return !(NeverStored.Contains(name)
            || name.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase)
            // Only correct at the time of the first response.
            || name.StartsWith("RateLimit", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("X-RateLimit-", StringComparison.OrdinalIgnoreCase)
            // Of one exchange, as above.
            || name.StartsWith("X-B3-", StringComparison.OrdinalIgnoreCase)
            // With an error, it is advice for that time; with 2xx and 3xx (202, 301), it is part of the response.
            || (name.Equals("Retry-After", StringComparison.OrdinalIgnoreCase) && response.StatusCode >= 400)
            || rules.ExcludedHeaders.Contains(name)
            || HeaderList.Contains(connection, name));
    }

    private static bool StartsWith(StringValues values, StringValues prefix)
    {
        if (values.Count < prefix.Count)
        {
            return false;
        }

        for (var i = 0; i < prefix.Count; i++)
        {
            if (!string.Equals(values[i], prefix[i], StringComparison.Ordinal))
            {
                return false;
            }
        }

        return true;
    }
}
