using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.SignalR;

namespace Idempotency.AspNetCore;

/// <summary>Finds <c>[Idempotent]</c> and <c>[DisableIdempotency]</c> attributes that the framework does not turn into endpoint metadata, so that they would silently have no effect.</summary>
/// <remarks>
/// <para>The following can be found from an endpoint at start-up:</para>
/// <para>1. a handler method of a Razor page, and an attribute of the page itself if the page has a model: one endpoint serves all handlers, and only the attributes of the model are read;</para>
/// <para>2. a method of a hub: one connection carries all calls (attributes of the hub class apply to its endpoint);</para>
/// <para>3. the class that contains a mapped method or lambda: only the attributes of the method are read;</para>
/// <para>4. a method of a controller that is not an action.</para>
/// </remarks>
internal static class IneffectiveMarks
{
    private const BindingFlags Methods = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static;

    /// <summary>The errors found from an endpoint, each with its fix.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="isProtected">Whether it is protected.</param>
    public static IEnumerable<string> Errors(Endpoint endpoint, bool isProtected)
    {
        var metadata = endpoint.Metadata;
        if (metadata.GetMetadata<CompiledPageActionDescriptor>() is { } page)
        {
            return OfPage(page);
        }

        if (metadata.GetMetadata<HubMetadata>() is { } hub)
        {
            return OfHub(hub.HubType);
        }

        return metadata.GetMetadata<ControllerActionDescriptor>() is { } action ? OfController(action.ControllerTypeInfo) : OfHandler(endpoint, isProtected);
    }

    private static IEnumerable<string> OfPage(CompiledPageActionDescriptor page)
    {
        foreach (var handler in page.HandlerMethods.Where(static handler => MarkOn(handler.MethodInfo) is not null))
        {
            yield return $"{MarkOn(handler.MethodInfo)} on {NameOf(handler.MethodInfo)} has no effect, because one endpoint serves all handlers of a Razor page. Apply it to the page model, {page.HandlerTypeInfo.Name}; requests that only show the page pass through.";
        }

        if (page.HandlerTypeInfo != page.PageTypeInfo && MarkOn(page.PageTypeInfo) is { } mark && MarkOn(page.HandlerTypeInfo) is null)
        {
            yield return $"{mark} on the Razor page '{page.ViewEnginePath}' has no effect, because the page has a model. Apply it to the model, {page.HandlerTypeInfo.Name}.";
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "SignalR keeps the methods of a hub.")]
    private static IEnumerable<string> OfHub(Type hub) => hub.GetMethods(Methods).Where(static method => Attribute<IIdempotencyMetadata>(method)).Select(
        static method => $"{MarkOn(method)} on {NameOf(method)} has no effect, because all calls of hub methods share one connection. Remove it, and run the work once with IIdempotentExecutor.");

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "MVC keeps the methods of a controller.")]
    private static IEnumerable<string> OfController(TypeInfo controller) => controller.GetMethods(Methods).Where(static method => IsNoAction(method) && MarkOn(method) is not null).Select(
        static method => $"{MarkOn(method)} on {NameOf(method)} has no effect, because the method is not an action of the controller. Apply it to the action, or run the work once with IIdempotentExecutor.");

    private static IEnumerable<string> OfHandler(Endpoint endpoint, bool isProtected)
    {
        // A handler with an HttpContext parameter is the endpoint's delegate; for other handlers, the framework adds the method to the metadata.
        var method = endpoint.Metadata.GetMetadata<MethodInfo>() ?? endpoint.RequestDelegate?.Method;
        for (var type = method?.DeclaringType; type is not null; type = type.DeclaringType)
        {
            var isIgnored = Attribute<DisableIdempotencyAttribute>(type) ? isProtected : !isProtected && Attribute<IIdempotencyMetadata>(type) && endpoint.Metadata.GetMetadata<DisableIdempotencyAttribute>() is null;
            if (isIgnored)
            {
                yield return $"{MarkOn(type)} on the class {type.Name} has no effect on endpoint '{endpoint.DisplayName}', which is mapped from one of its methods. Apply it to the method, or call .{(isProtected ? "DisableIdempotency" : "WithIdempotency")}() on the endpoint or its group.";
            }
        }
    }

    // The same rules as MVC for the method itself. Conventions of the application are not considered.
    private static bool IsNoAction(MethodInfo method) => !method.IsPublic || method.IsStatic || method.IsAbstract || method.IsGenericMethod || Attribute<NonActionAttribute>(method);

    private static string? MarkOn(MemberInfo member) => Attribute<DisableIdempotencyAttribute>(member) ? "[DisableIdempotency]" : Attribute<IIdempotencyMetadata>(member) ? "[Idempotent]" : null;

    private static bool Attribute<T>(MemberInfo member) => member.GetCustomAttributes(inherit: true).OfType<T>().Any();

    private static string NameOf(MethodInfo method) => $"{method.DeclaringType?.Name}.{method.Name}";
}
