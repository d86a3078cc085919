using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Abstractions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>Describes how requests to an endpoint are protected, for OpenAPI documents, gateways and developer portals.</summary>
public sealed class IdempotencyEndpoint
{
    /// <summary>The maximum length of a key, without quotation marks and escapes.</summary>
    public const int MaxKeyLength = IdempotencyKey.MaxLength;

    private readonly bool _canReachRun;

    private IdempotencyEndpoint(IdempotencyPolicy policy, IReadOnlyList<string> varyingHeaders, bool canReachRun) => (Policy, VaryingHeaders, _canReachRun) = (policy, varyingHeaders, canReachRun);

    /// <summary>The effective policy, including the overrides of the endpoint's attribute.</summary>
    public IdempotencyPolicy Policy { get; }

    /// <summary>Whether the key can be in the header <see cref="IdempotencyPolicy.HeaderName"/>.</summary>
    public bool TakesKeyFromHeader => Policy.TakesKeyFromHeader;

    /// <summary>Whether the key of a request without that header comes from its content: the body, or the values that <see cref="IdempotencyPolicy.KeySelector"/> selects.</summary>
    public bool TakesKeyFromContent => Policy.TakesKeyFromContent;

    /// <summary>The request headers that a response depends on, as in <c>Vary</c>: the key header, and those that are part of the key or the fingerprint.</summary>
    public IReadOnlyList<string> VaryingHeaders { get; }

    /// <summary>Returns how requests with a method are protected.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="method">The HTTP method; null for any.</param>
    /// <param name="services">The services of the application.</param>
    /// <returns>The description, or null if requests pass through: the endpoint did not opt in, the policy does not protect the method, or idempotency is disabled.</returns>
    /// <exception cref="InvalidOperationException"><c>AddIdempotency()</c> was not called, or the endpoint names a policy that is not registered.</exception>
    public static IdempotencyEndpoint? Find(Endpoint endpoint, string? method, IServiceProvider services)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(services);
        var policies = services.GetService<PolicyResolver>() ?? throw new InvalidOperationException("The idempotency services are not registered. Call builder.Services.AddIdempotency().");
        return policies.Enabled && policies.Of(endpoint) is { } policy && (method is null || policy.Covers(method))
            ? new IdempotencyEndpoint(policy, services.GetRequiredService<ResponseRulesCache>().Of(policy).VaryingHeaders, CanReachRun(endpoint, services))
            : null;
    }

    /// <summary>Returns the problems with which requests can be rejected.</summary>
    /// <remarks>
    /// <para>The rules, in the order of a request:</para>
    /// <para>1. The key is missing: if one is required, whatever its source. 2. It is malformed: if it can come from the header; or the key or the compared values cannot be selected: if there is a selector.
    /// 3. The body is too large: if the request can have one. 4. The key was used for a different request: unless nothing is compared. 5. The first request is still
    /// in progress: always, because waiting ends. 6. The outcome of an earlier attempt is unknown: if abandoned claims are not taken over, or if the handler can mark the start of effects or run steps.
    /// Every handler can, except those of minimal APIs that have no parameter for the run, in an application without <see cref="IHttpContextAccessor"/>.
    /// 7. The response was not recorded: always, because its size is not known in advance. 8. The store is unavailable: unless requests then run unprotected.
    /// 9. The record cannot be read: always. 10. The transaction had a conflict, or its outcome is unknown: if the handler runs in one. 11. The caller is not allowed to receive the recorded response: if the policy checks it.</para>
    /// </remarks>
    /// <param name="mayHaveBody">Whether requests can have a body.</param>
    public IEnumerable<IdempotencyProblem> Problems(bool mayHaveBody)
    {
        if (Policy.KeyRequired)
        {
            yield return IdempotencyProblem.KeyMissing(Policy);
        }

        if (Policy.TakesKeyFromHeader)
        {
            // One example of a malformed key, with the message of the parser itself.
            _ = IdempotencyKey.TryParse(new StringValues(new string('x', IdempotencyKey.MaxLength + 1)), out _, out var error);
            yield return IdempotencyProblem.KeyInvalid(Policy.HeaderName, error);
        }

        if ((Policy.KeySelector ?? Policy.FingerprintSelector) is { } selector)
        {
            // The server's text, without its reason.
            var setting = Policy.KeySelector is null ? nameof(Policy.FingerprintSelector) : nameof(Policy.KeySelector);
            yield return IdempotencyProblem.SelectorInapplicable($"The {setting} '{selector}' could not be applied to the request.");
        }

        yield return IdempotencyProblem.RequestInProgress;
        if (Policy.WhenAbandoned == AbandonedBehavior.Refuse || _canReachRun)
        {
            yield return IdempotencyProblem.OutcomeUnknown;
        }

        if (Policy.AuthorizeReplay is not null)
        {
            yield return IdempotencyProblem.ReplayForbidden;
        }

        yield return IdempotencyProblem.ResponseUnavailable;
        if (mayHaveBody)
        {
            yield return IdempotencyProblem.BodyTooLarge(Policy.MaxRequestBodySize);
        }

        if (Policy.Fingerprint != RequestFingerprintMode.None || Policy.FingerprintSelector is not null || Policy.FingerprintHeaders.Count > 0)
        {
            yield return IdempotencyProblem.KeyReused;
        }

        if (Policy.WhenStoreUnavailable == StoreUnavailableBehavior.Reject)
        {
            yield return IdempotencyProblem.StoreUnavailable;
        }

        yield return IdempotencyProblem.RecordUnreadable;

        if (Policy.Transaction == IdempotencyTransaction.SameAsHandler)
        {
            yield return IdempotencyProblem.TransactionConflict;
            yield return IdempotencyProblem.CommitUnknown;
        }
    }

    // Whether it does is not to be seen from outside; whether it cannot is, for a lambda or method that gets neither its run nor the request.
    private static bool CanReachRun(Endpoint endpoint, IServiceProvider services) =>
        endpoint.Metadata.GetMetadata<ActionDescriptor>() is not null // a controller or a page has the HttpContext
        || endpoint.Metadata.GetMetadata<MethodInfo>() is not { } handler
        || services.GetService<IHttpContextAccessor>() is not null
        || handler.GetParameters().Any(static parameter =>
            typeof(IIdempotentRun).IsAssignableFrom(parameter.ParameterType)
            || parameter.ParameterType == typeof(HttpContext) || parameter.ParameterType == typeof(HttpRequest) || parameter.ParameterType == typeof(HttpResponse)
            || parameter.IsDefined(typeof(AsParametersAttribute), inherit: false)); // any of these may be in it
}
