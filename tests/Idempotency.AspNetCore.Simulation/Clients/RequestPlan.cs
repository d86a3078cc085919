using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>What a client sends: a key of one user's, and a payment.</summary>
internal sealed class RequestPlan
{
    private static readonly ClaimsPrincipal[] Principals = [.. Enumerable.Range(0, 8).Select(static user => new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", $"user-{user}")], "simulated")))];

    public RequestPlan(int user, int key, int payment)
    {
        User = user;
        Key = key;
        Payment = payment;
        Body = Encoding.UTF8.GetBytes($"{{\"payment\":{payment}}}");
    }

    public int User { get; }

    public int Key { get; }

    public int Payment { get; }

    public byte[] Body { get; }

    public string KeyName => $"{User}/{Key}";

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
