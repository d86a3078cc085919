using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;

namespace Idempotency.AspNetCore;

/// <summary>Prevents a protected endpoint from running if the request did not pass through the middleware: in another branch of the pipeline, after the endpoints, or short-circuited.</summary>
/// <remarks>
/// The position of the middleware relative to every endpoint is not known at start-up, and an endpoint must not silently run twice. Routing therefore
/// returns protected endpoints with a guard around them. It is a matcher policy because that applies to every kind of endpoint and
/// costs endpoints that are not protected nothing: if endpoints are known in advance, the guard is built into the matcher's tree; only
/// for dynamic endpoints and pages is it added to each candidate of a request.
/// </remarks>
internal sealed class MissingMiddlewareGuard(PolicyResolver policies) : MatcherPolicy, INodeBuilderPolicy, IEndpointSelectorPolicy
{
    private readonly ConditionalWeakTable<Endpoint, Endpoint> _guarded = [];
    private readonly ConditionalWeakTable<Endpoint, Endpoint>.CreateValueCallback _guard = endpoint => Guard(endpoint, policies);

    /// <summary>Last, after policies that replace endpoints (dynamic routes).</summary>
    public override int Order => int.MaxValue;

    bool INodeBuilderPolicy.AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) =>
        policies.Enabled && !ContainsDynamicEndpoints(endpoints) && endpoints.Any(IsProtected);

    IReadOnlyList<PolicyNodeEdge> INodeBuilderPolicy.GetEdges(IReadOnlyList<Endpoint> endpoints) =>
        [new PolicyNodeEdge(nameof(MissingMiddlewareGuard), [.. endpoints.Select(GuardedIfProtected)])];

    PolicyJumpTable INodeBuilderPolicy.BuildJumpTable(int exitDestination, IReadOnlyList<PolicyJumpTableEdge> edges) => new OnlyWay(edges[0].Destination);

    bool IEndpointSelectorPolicy.AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) => policies.Enabled && (ContainsDynamicEndpoints(endpoints) || endpoints.Any(IsPage));

    Task IEndpointSelectorPolicy.ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        for (var i = 0; i < candidates.Count; i++)
        {
            if (candidates.IsValidCandidate(i) && IsProtected(candidates[i].Endpoint))
            {
                candidates.ReplaceEndpoint(i, GuardedIfProtected(candidates[i].Endpoint), candidates[i].Values);
            }
        }

        return Task.CompletedTask;
    }

    // The metadata of a page's model is known when the page is first requested.
    private static bool IsPage(Endpoint endpoint) => endpoint.Metadata.GetMetadata<PageActionDescriptor>() is not null;

    private Endpoint GuardedIfProtected(Endpoint endpoint) => IsProtected(endpoint) ? _guarded.GetValue(endpoint, _guard) : endpoint;

    private static bool IsProtected(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IIdempotencyMetadata>() is not null && endpoint.Metadata.GetMetadata<DisableIdempotencyAttribute>() is null;

    private static Endpoint Guard(Endpoint endpoint, PolicyResolver policies)
    {
        if (endpoint.RequestDelegate is not { } handler)
        {
            return endpoint;
        }

        Task Run(HttpContext context) =>
            policies.Of(endpoint)?.Covers(context.Request) != true
            || context.Features.Find<IIdempotencyFeature>() is not null || context.Features.Find<IdempotencyBypassed>() is not null
                ? handler(context)
                : throw new InvalidOperationException($"Endpoint '{endpoint.DisplayName}' opts in to idempotency, but the request did not pass through UseIdempotency() and would run unprotected. Call app.UseIdempotency() in the same branch of the pipeline, after routing and before the endpoints, and do not short-circuit the endpoint.");

        return endpoint is RouteEndpoint route
            ? new RouteEndpoint(Run, route.RoutePattern, route.Order, route.Metadata, route.DisplayName)
            : new Endpoint(Run, endpoint.Metadata, endpoint.DisplayName);
    }

    private sealed class OnlyWay(int destination) : PolicyJumpTable
    {
        public override int GetDestination(HttpContext httpContext) => destination;
    }
}
