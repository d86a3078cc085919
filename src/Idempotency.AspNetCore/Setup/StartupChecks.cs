using System.Reflection;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Mvc.RazorPages.Infrastructure;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>Reports mistakes that can be found before the first request, when the pipeline is built and before the server listens.</summary>
internal sealed class StartupChecks(
    PolicyResolver policies,
    PipelinePlacement placement,
    IServiceProvider services,
    ILogger<StartupChecks> logger) : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        // Before and after: the pipeline of a WebApplication is complete before "next" (and gets automatic middleware, which comes first, during
        // it); a Startup class builds its pipeline during "next".
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
        var withoutEffect = new List<string>();
        List<Endpoint> endpoints = [.. (services.GetService<EndpointDataSource>()?.Endpoints ?? []).Select(Compiled)];
        var transcoded = endpoints.Where(IsMarked).Select(UnsuitableEndpoints.TranscodedMethod).OfType<object>().ToHashSet();
        foreach (var endpoint in endpoints)
        {
            errors.AddRange(IneffectiveMarks.Errors(endpoint, IsMarked(endpoint)));
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

            errors.AddRange(IdempotencyOptionsValidator.Errors(policy, $"The policy of endpoint '{endpoint.DisplayName}'", services.GetService<IIdempotencySelectorLanguage>()));
            if (!policy.CoversAnyOf(endpoint))
            {
                if (IsMarkedItself(endpoint))
                {
                    withoutEffect.Add(endpoint.DisplayName ?? "(unnamed)");
                }

                continue;
            }

            isAnyProtected = true;
            if (UnsuitableEndpoints.ReasonAgainst(endpoint, transcoded) is { } unsuitable)
            {
                errors.Add(unsuitable);
            }

            if (UnsuitableEndpoints.IsGrpc(endpoint))
            {
                continue; // all of its requests are rejected
            }

            if (policies.Enabled)
            {
                Log.Protected(logger, endpoint.DisplayName ?? "(unnamed)", PolicyResolver.NameOf(endpoint), policy);
            }

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
            errors.Add("Endpoints opt in to idempotency, but app.UseIdempotency() was not called, so they would run unprotected. Call it after app.UseAuthorization(), or before the endpoints are mapped if the application has no authorization.");
        }

        if (shared.Count > 0 && policies.Enabled)
        {
            Log.SharedPartition(logger, string.Join(", ", shared));
        }

        if (withoutEffect.Count > 0 && policies.Enabled)
        {
            Log.WithoutEffect(logger, string.Join(", ", withoutEffect));
        }

        return [.. errors.Distinct()];
    }

    private static bool IsMarked(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IIdempotencyMetadata>() is not null && endpoint.Metadata.GetMetadata<DisableIdempotencyAttribute>() is null;

    // A group or a controller that opts in also contains other endpoints.
    private static bool IsMarkedItself(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<OwnMark>() is not null
        || (endpoint.Metadata.GetMetadata<ControllerActionDescriptor>()?.MethodInfo ?? endpoint.Metadata.GetMetadata<MethodInfo>() ?? endpoint.RequestDelegate?.Method)
            ?.GetCustomAttributes(inherit: true).OfType<IIdempotencyMetadata>().Any() == true;

    /// <summary>The endpoint of a Razor page as it is after the page is first requested, when the metadata of its model is known.</summary>
    private Endpoint Compiled(Endpoint endpoint)
    {
        if (endpoint.Metadata.GetMetadata<PageActionDescriptor>() is not { } page || page is CompiledPageActionDescriptor || services.GetService<PageLoader>() is not { } loader)
        {
            return endpoint;
        }

        try
        {
            return loader.LoadAsync(page, endpoint.Metadata).GetAwaiter().GetResult().Endpoint ?? endpoint;
        }
        catch (Exception exception)
        {
            // A page that cannot be compiled reports that when it is requested, as it would without the library.
            Log.PageNotChecked(logger, endpoint.DisplayName ?? "(unnamed)", exception);
            return endpoint;
        }
    }

    private bool IsOpenToAnyone(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null
        || (endpoint.Metadata.GetMetadata<IAuthorizeData>() is null
            && endpoint.Metadata.GetMetadata<AuthorizationPolicy>() is null
            && services.GetService<IOptions<AuthorizationOptions>>()?.Value.FallbackPolicy is null);
}
