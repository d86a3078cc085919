using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>A response header that the endpoint set.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Values">Its values, a field line each, in order. None: the endpoint removed what the outer pipeline had set.</param>
/// <param name="IsAppended">Whether the endpoint added them to what the outer pipeline had set, rather than setting the header.</param>
internal readonly record struct StoredHeader(string Name, StringValues Values, bool IsAppended)
{
    private static readonly FrozenSet<string> NeverStored = new[]
    {
        // Cookies belong to one browser session; a replay may go to another device of the same user, or come after a logout.
        "Set-Cookie", "Set-Cookie2", "Clear-Site-Data",
        // Hop-by-hop: about the connection the first answer went over (RFC 9110 section 7.6.1). Names listed in Connection are added below.
        "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
        // Made anew from what is really sent, and when.
        "Content-Length", "Date", "Age",
        // A challenge or its proof is good for one exchange.
        "WWW-Authenticate", "Proxy-Authenticate", "Authentication-Info", "Proxy-Authentication-Info",
        // Decided for the origin that asks, which may be another one at the replay. (Access-Control-* below.)
        "Timing-Allow-Origin",
        // About the server or the path to it today.
        "Strict-Transport-Security", "Server", "Via", "Alt-Svc",
        // They identify or time one exchange.
        "traceparent", "tracestate", "Request-Id", "Server-Timing",
        // They sign what is sent, with a time; a replay differs in both.
        "Signature", "Signature-Input",
        // Our own marks are made for each answer.
        IdempotencyHeaders.Replayed, IdempotencyHeaders.Stored,
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>What the endpoint did to the headers that were there before it ran, less what is never stored.</summary>
    /// <param name="response">The response, after the endpoint's <c>OnStarting</c> callbacks and before the outer pipeline's.</param>
    /// <param name="before">The headers as they were before the endpoint ran.</param>
    /// <param name="rules">The policy's exclusions.</param>
    /// <param name="stored">Where they are added.</param>
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
            else if (StartsWith(values, outer))
            {
                if (values.Count > outer.Count)
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

    /// <summary>Does to a response what the endpoint did.</summary>
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
            // An answer to HEAD has no body to compute it from: there it is what the handler says of the body that GET would have.
            return HttpMethods.IsHead(response.HttpContext.Request.Method);
        }

        return !(NeverStored.Contains(name)
            || name.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase)
            // How much the caller may still ask is true only at its time.
            || name.StartsWith("RateLimit", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("X-RateLimit-", StringComparison.OrdinalIgnoreCase)
            // With an error it is advice for that moment; with 2xx and 3xx (202, 301) it is part of the answer.
            || (name.Equals("Retry-After", StringComparison.OrdinalIgnoreCase) && response.StatusCode >= 400)
            || rules.ExcludedHeaders.Contains(name)
            || IsNamedBy(connection, name));
    }

    private static bool IsNamedBy(StringValues connection, string name)
    {
        foreach (var line in connection)
        {
            foreach (var option in line.AsSpan().Split(','))
            {
                if (line.AsSpan()[option].Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
                {
                    return true;
                }
            }
        }

        return false;
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
