using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>What can be known to be wrong before the first request, fails there: when the pipeline is built, before the server listens.</summary>
internal sealed class StartupChecks(
    PolicyResolver policies,
    PipelinePlacement placement,
    IServiceProvider services,
    ILogger<StartupChecks> logger) : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        // Both before and after: a WebApplication's pipeline is complete before (and gets automatic middleware, which comes first, during
        // "next"); a Startup class builds its pipeline during "next".
        List<string> errors = [.. placement.TakeErrors()];
        next(app);
        errors.AddRange(placement.TakeErrors());
        errors.AddRange(CheckEndpoints());
        if (errors.Count > 0)
        {
            throw new InvalidOperationException(string.Join(Environment.NewLine, errors));
        }
    };

    private List<string> CheckEndpoints()
    {
        var errors = new List<string>();
        var shared = new List<string>();
        var isAnyProtected = false;
        foreach (var endpoint in services.GetService<EndpointDataSource>()?.Endpoints ?? [])
        {
            IdempotencyPolicy? policy;
            try
            {
                policy = policies.Of(endpoint);
            }
            catch (InvalidOperationException unknown)
            {
                errors.Add(unknown.Message);
                continue;
            }

            if (policy is null)
            {
                continue;
            }

            isAnyProtected = true;
            if (UnsuitableEndpoints.ReasonAgainst(endpoint) is { } unsuitable)
            {
                errors.Add(unsuitable);
            }

            if (policies.Enabled)
            {
                Log.Protected(logger, endpoint.DisplayName ?? "(unnamed)", PolicyResolver.NameOf(endpoint), policy);
            }

            errors.AddRange(IdempotencyOptionsValidator.Errors(policy, $"The policy of endpoint '{endpoint.DisplayName}'", services.GetService<IIdempotencySelectorLanguage>()));
            if (policy.Transaction == IdempotencyTransaction.SameAsHandler && policies.Enabled && services.GetRequiredService<StoreCalls>().WhyNotTransactional is { } whyNot)
            {
                errors.Add($"Endpoint '{endpoint.DisplayName}': {whyNot}");
            }

            if (policy.Partition is null && IsOpenToAnyone(endpoint))
            {
                shared.Add(endpoint.DisplayName ?? "(unnamed)");
            }
        }

        if (isAnyProtected && policies.Enabled && !placement.IsPlaced)
        {
            errors.Add("There are endpoints with idempotency, but app.UseIdempotency() was not called: they would run unprotected. Call it after app.UseAuthorization(), or, where that is not called, before the endpoints are mapped.");
        }

        if (shared.Count > 0 && policies.Enabled)
        {
            Log.SharedPartition(logger, string.Join(", ", shared));
        }

        return errors;
    }

    private bool IsOpenToAnyone(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null
        || (endpoint.Metadata.GetMetadata<IAuthorizeData>() is null
            && endpoint.Metadata.GetMetadata<AuthorizationPolicy>() is null
            && services.GetService<IOptions<AuthorizationOptions>>()?.Value.FallbackPolicy is null);
}
