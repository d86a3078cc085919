using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Template;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Which policies decide about a record. A record does not say which endpoint it is of; where its request is known, routing does.</summary>
internal sealed class PoliciesInForce(IServiceProvider services)
{
    /// <summary>What happens to abandoned claims; null when that depends on the endpoint.</summary>
    public AbandonedBehavior? WhenAbandoned()
    {
        var options = services.GetRequiredService<IOptions<IdempotencyOptions>>().Value;
        var behaviors = Endpoints.Select(endpoint => PolicyOf(endpoint, method: null)).OfType<IdempotencyPolicy>()
            .Concat(options.Policies.Values) // functions name them
            .Append(options.DefaultPolicy)
            .Select(static policy => policy.WhenAbandoned)
            .Distinct()
            .Take(2)
            .ToList();
        return behaviors.Count == 1 ? behaviors[0] : null;
    }

    /// <summary>The policy of the endpoint that a request would reach; null when none or several match.</summary>
    /// <param name="method">The request's method.</param>
    /// <param name="path">Its path, with the path base.</param>
    /// <param name="pathBase">The application's path base.</param>
    public IdempotencyPolicy? Of(string method, PathString path, PathString pathBase)
    {
        var relative = path.StartsWithSegments(pathBase, out var rest) ? rest : path;
        var matches = Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<IHttpMethodMetadata>() is not { HttpMethods.Count: > 0 } methods || methods.HttpMethods.Contains(method, StringComparer.OrdinalIgnoreCase))
            .Where(endpoint => Matches(endpoint, relative))
            .Select(endpoint => (endpoint.Order, endpoint.RoutePattern.InboundPrecedence, Policy: PolicyOf(endpoint, method)))
            .OrderBy(static match => match.Order).ThenBy(static match => match.InboundPrecedence)
            .ToList();
        var best = matches.Where(match => (match.Order, match.InboundPrecedence) == (matches[0].Order, matches[0].InboundPrecedence)).Select(static match => match.Policy).Distinct().ToList();
        return best.Count == 1 ? best[0] : null;
    }

    private IReadOnlyList<Endpoint> Endpoints => services.GetService<EndpointDataSource>()?.Endpoints ?? [];

    private IdempotencyPolicy? PolicyOf(Endpoint endpoint, string? method) => IdempotencyEndpoint.Find(endpoint, method, services)?.Policy;

    // Without the route's constraints: an endpoint too many leaves the question open.
    private static bool Matches(RouteEndpoint endpoint, PathString path)
    {
        try
        {
            return new TemplateMatcher(new RouteTemplate(endpoint.RoutePattern), new RouteValueDictionary(endpoint.RoutePattern.Defaults)).TryMatch(path, []);
        }
        catch (ArgumentException)
        {
            return true; // a pattern whose constraints are objects has no template
        }
    }
}
