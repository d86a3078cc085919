using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Abstractions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>How requests to an endpoint are protected: what an OpenAPI document, a gateway or a page for developers needs to describe it.</summary>
public sealed class IdempotencyEndpoint
{
    /// <summary>The most characters that a key may have, without the quotation marks and escapes around them.</summary>
    public const int MaxKeyLength = IdempotencyKey.MaxLength;

    private readonly bool _canReachRun;

    private IdempotencyEndpoint(IdempotencyPolicy policy, IReadOnlyList<string> varyingHeaders, bool canReachRun) => (Policy, VaryingHeaders, _canReachRun) = (policy, varyingHeaders, canReachRun);

    /// <summary>The policy in force, with what the endpoint's attribute sets beside its name.</summary>
    public IdempotencyPolicy Policy { get; }

    /// <summary>Whether a request can name its key in the header <see cref="IdempotencyPolicy.HeaderName"/>.</summary>
    public bool TakesKeyFromHeader => Policy.TakesKeyFromHeader;

    /// <summary>Whether a request without that header has a key in its content: its body, or what <see cref="IdempotencyPolicy.KeySelector"/> selects.</summary>
    public bool TakesKeyFromContent => Policy.TakesKeyFromContent;

    /// <summary>The request headers that decide which response a request gets, as <c>Vary</c> names them: the key's, and those that are part of the key or the fingerprint.</summary>
    public IReadOnlyList<string> VaryingHeaders { get; }

    /// <summary>Finds how requests with a method are protected.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="method">The HTTP method; null for any.</param>
    /// <param name="services">The application's services.</param>
    /// <returns>Null when they pass through: the endpoint does not take part, the policy does not protect the method, or idempotency is switched off.</returns>
    /// <exception cref="InvalidOperationException"><c>AddIdempotency()</c> was not called, or the endpoint names a policy that is not registered.</exception>
    public static IdempotencyEndpoint? Find(Endpoint endpoint, string? method, IServiceProvider services)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(services);
        var policies = services.GetService<PolicyResolver>() ?? throw new InvalidOperationException("Idempotency is not registered. Call builder.Services.AddIdempotency().");
        return policies.Enabled && policies.Of(endpoint) is { } policy && (method is null || policy.Covers(method))
            ? new IdempotencyEndpoint(policy, services.GetRequiredService<ResponseRulesCache>().Of(policy).VaryingHeaders, CanReachRun(endpoint, services))
            : null;
    }

    /// <summary>The problems with which requests can be rejected.</summary>
    /// <remarks>
    /// <para>The rules, in the order in which a request meets them:</para>
    /// <para>1. The key is missing: where one is required, from wherever it comes. 2. It is malformed: where it may come from the header; or it, or what is validated, cannot be selected: where there is a selector.
    /// 3. The body is too large: where there may be one. 4. The key was used for another request: unless nothing is compared. 5. The first is still
    /// running: always; waiting for it ends. 6. The outcome of an earlier attempt is unknown: where abandoned attempts are not taken over, or where the handler can mark the start of effects or run steps, because it can
    /// reach its run. All can but handlers of minimal APIs that have no parameter for it, in an application without <see cref="IHttpContextAccessor"/>.
    /// 7. The response is not kept: always; how large it is nobody knows before. 8. The store is unavailable: unless the request runs then.
    /// 9. The record cannot be read: always. 10. The transaction lost to another, or its end is not known: where the handler runs in one. 11. The caller may not have the recorded response: where the policy asks.</para>
    /// </remarks>
    /// <param name="mayHaveBody">Whether requests may have a body.</param>
    public IEnumerable<IdempotencyProblem> Problems(bool mayHaveBody)
    {
        if (Policy.KeyRequired)
        {
            yield return IdempotencyProblem.KeyMissing(Policy);
        }

        if (Policy.TakesKeyFromHeader)
        {
            // One way to be malformed, for the example, in the words of the parser itself.
            _ = IdempotencyKey.TryParse(new StringValues(new string('x', IdempotencyKey.MaxLength + 1)), out _, out var error);
            yield return IdempotencyProblem.KeyInvalid(Policy.HeaderName, error);
        }

        if ((Policy.KeySelector ?? Policy.FingerprintSelector) is { } selector)
        {
            // As the server says it, without its reason.
            var setting = Policy.KeySelector is null ? nameof(Policy.FingerprintSelector) : nameof(Policy.KeySelector);
            yield return IdempotencyProblem.SelectorInapplicable($"The {setting} '{selector}' cannot be applied.");
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
