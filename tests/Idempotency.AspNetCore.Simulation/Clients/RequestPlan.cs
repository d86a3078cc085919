using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>What a client sends: a key of one user's, and a payment. A request, or a message that a function is called for.</summary>
internal sealed class RequestPlan
{
    private static readonly ClaimsPrincipal[] Principals = [.. Enumerable.Range(0, 8).Select(static user => new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", $"user-{user}")], "simulated")))];

    public RequestPlan(int user, int key, int payment, bool isCall = false)
    {
        User = user;
        Key = key;
        Payment = payment;
        IsCall = isCall;
        Body = Encoding.UTF8.GetBytes($"{{\"payment\":{payment}}}");
    }

    public int User { get; }

    public int Key { get; }

    public int Payment { get; }

    /// <summary>Whether it goes to <see cref="IIdempotentExecutor"/>, and not through the middleware.</summary>
    public bool IsCall { get; }

    public byte[] Body { get; }

    public string KeyName => $"{User}/{Key}{(IsCall ? " of calls" : "")}";

    public IdempotentCallKey CallKey => $"key-{Key}";

    public IdempotentCallOptions CallOptions => new() { Partition = $"user-{User}", Payload = IdempotentPayload.OfJson(Body) };

    public ClaimsPrincipal Principal => Principals[User];

    public override string ToString() => $"key {KeyName}, payment {Payment}";

    public HttpRequestFeature ToFeature(Stream body)
    {
        var request = new HttpRequestFeature { Method = "POST", Scheme = "https", Path = "/payments", PathBase = "", QueryString = "", Protocol = "HTTP/1.1", RawTarget = "/payments", Body = body };
        request.Headers["Idempotency-Key"] = $"key-{Key}";
        request.Headers.ContentType = "application/json";
        request.Headers.ContentLength = Body.Length;
        request.Headers.Host = "simulated";
        return request;
    }
}
