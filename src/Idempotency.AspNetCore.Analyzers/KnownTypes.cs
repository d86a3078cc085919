using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>The types that the rules are about, as a compilation sees them; those of a framework that it does not reference are null.</summary>
internal sealed class KnownTypes
{
    private readonly INamedTypeSymbol _metadata;
    private readonly INamedTypeSymbol? _attribute;
    private readonly INamedTypeSymbol? _disable;
    private readonly INamedTypeSymbol? _run;
    private readonly INamedTypeSymbol? _executor;
    private readonly INamedTypeSymbol? _batches;
    private readonly INamedTypeSymbol? _conventions;
    private readonly INamedTypeSymbol? _registration;
    private readonly INamedTypeSymbol? _mapping;
    private readonly INamedTypeSymbol? _controllerBase;
    private readonly INamedTypeSymbol? _controller;
    private readonly INamedTypeSymbol? _nonController;
    private readonly INamedTypeSymbol? _nonAction;
    private readonly INamedTypeSymbol? _pageModel;
    private readonly INamedTypeSymbol? _pageModelAttribute;
    private readonly INamedTypeSymbol? _hub;
    private readonly INamedTypeSymbol? _methodProvider;
    private readonly INamedTypeSymbol? _acceptVerbs;

    private KnownTypes(Compilation compilation, INamedTypeSymbol metadata)
    {
        _metadata = metadata;
        _attribute = compilation.GetTypeByMetadataName("Idempotency.AspNetCore.IdempotentAttribute");
        _disable = compilation.GetTypeByMetadataName("Idempotency.AspNetCore.DisableIdempotencyAttribute");
        _run = compilation.GetTypeByMetadataName("Idempotency.AspNetCore.IIdempotentRun");
        _executor = compilation.GetTypeByMetadataName("Idempotency.AspNetCore.IIdempotentExecutor");
        _batches = compilation.GetTypeByMetadataName("Idempotency.AspNetCore.IdempotentExecutorBatchExtensions");
        _conventions = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Builder.IdempotencyEndpointConventionBuilderExtensions");
        _registration = compilation.GetTypeByMetadataName("Microsoft.Extensions.DependencyInjection.IdempotencyServiceCollectionExtensions");
        _mapping = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Builder.EndpointRouteBuilderExtensions");
        _controllerBase = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Mvc.ControllerBase");
        _controller = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Mvc.ControllerAttribute");
        _nonController = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Mvc.NonControllerAttribute");
        _nonAction = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Mvc.NonActionAttribute");
        _pageModel = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Mvc.RazorPages.PageModel");
        _pageModelAttribute = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Mvc.RazorPages.Infrastructure.PageModelAttribute");
        _hub = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.SignalR.Hub");
        _methodProvider = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Mvc.Routing.IActionHttpMethodProvider");
        _acceptVerbs = compilation.GetTypeByMetadataName("Microsoft.AspNetCore.Mvc.AcceptVerbsAttribute");
    }

    /// <summary>The name of the assembly that has the library's core.</summary>
    public string CoreName => _metadata.ContainingAssembly.Name;

    /// <summary>The types of a compilation; null when it does not reference the library.</summary>
    public static KnownTypes? Of(Compilation compilation) =>
        compilation.GetTypeByMetadataName("Idempotency.AspNetCore.IIdempotencyMetadata") is { } metadata ? new KnownTypes(compilation, metadata) : null;

    /// <summary>Whether an attribute makes an endpoint take part.</summary>
    public bool IsProtecting(AttributeData attribute) => attribute.AttributeClass is { } type && Implements(type, _metadata);

    /// <summary>Whether an attribute is the library's own <c>[Idempotent]</c>, whose arguments are known.</summary>
    public bool IsIdempotentAttribute(AttributeData attribute) => Same(attribute.AttributeClass, _attribute);

    /// <summary>The attribute by which a symbol takes part or is taken out, with its name in brackets.</summary>
    public (AttributeData Attribute, string Name)? MarkOn(ISymbol symbol)
    {
        foreach (var attribute in symbol.GetAttributes())
        {
            if (Same(attribute.AttributeClass, _disable) || IsProtecting(attribute))
            {
                return (attribute, $"[{ShortName(attribute.AttributeClass!.Name)}]");
            }
        }

        return null;
    }

    /// <summary>Whether a method registers the library's services.</summary>
    public bool IsRegistration(IMethodSymbol method) => method.Name == "AddIdempotency" && Same(method.ContainingType, _registration);

    /// <summary>Whether a method is <c>WithIdempotency</c>.</summary>
    public bool IsConvention(IMethodSymbol method) => method.Name == "WithIdempotency" && Same(method.ContainingType, _conventions);

    /// <summary>Whether a method maps a handler: <c>MapPost</c> and its like.</summary>
    public bool IsMapping(IMethodSymbol method) => Same(method.ContainingType, _mapping) && method.Name.StartsWith("Map", StringComparison.Ordinal);

    /// <summary>Whether a method is one of a run's that must be awaited.</summary>
    public bool IsOfRun(IMethodSymbol method) => method.Name is "StepAsync" or "MarkEffectsStartedAsync" && Same(method.ContainingType, _run);

    /// <summary>Whether a method is one of the executor's.</summary>
    public bool IsOfExecutor(IMethodSymbol method) =>
        (method.Name == "ExecuteAsync" && Same(method.ContainingType, _executor)) || (method.Name == "ExecuteBatchAsync" && Same(method.ContainingType, _batches));

    /// <summary>Whether the methods of a type are hub methods.</summary>
    public bool IsHub(INamedTypeSymbol type) => InheritsFrom(type, _hub);

    /// <summary>Whether a type is the model of a Razor page.</summary>
    public bool IsPageModel(INamedTypeSymbol type) => InheritsFrom(type, _pageModel) || HasAttribute(type, _pageModelAttribute);

    /// <summary>Whether MVC takes a type for a controller, or a controller may derive from it.</summary>
    public bool IsController(INamedTypeSymbol type) =>
        _controllerBase is not null
        && type.TypeKind == TypeKind.Class
        && !HasAttribute(type, _nonController)
        && (InheritsFrom(type, _controllerBase) || HasAttribute(type, _controller)
            || (type.DeclaredAccessibility == Accessibility.Public && type.ContainingType is null && type.Name.EndsWith("Controller", StringComparison.OrdinalIgnoreCase)));

    /// <summary>Whether a method of a controller is no action, whatever an application's conventions say.</summary>
    public bool IsNoAction(IMethodSymbol method) =>
        method.DeclaredAccessibility != Accessibility.Public || method.IsStatic || method.IsGenericMethod || method.MethodKind != MethodKind.Ordinary || HasAttribute(method, _nonAction);

    /// <summary>The HTTP methods that an action's attributes name; null when they are not known, which is also when it takes all.</summary>
    public ImmutableHashSet<string>? MethodsOf(IMethodSymbol action)
    {
        var methods = ImmutableHashSet.Create<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var attribute in action.GetAttributes())
        {
            if (attribute.AttributeClass is not { } type || !Implements(type, _methodProvider))
            {
                continue;
            }

            if (Same(type, _acceptVerbs))
            {
                var names = attribute.ConstructorArguments.SelectMany(static argument => argument.Kind == TypedConstantKind.Array ? argument.Values : ImmutableArray.Create(argument)).Select(static argument => argument.Value as string);
                methods = methods.Union(names.OfType<string>());
                continue;
            }

            var name = type.Name switch
            {
                "HttpGetAttribute" => "GET",
                "HttpHeadAttribute" => "HEAD",
                "HttpOptionsAttribute" => "OPTIONS",
                "HttpPostAttribute" => "POST",
                "HttpPutAttribute" => "PUT",
                "HttpPatchAttribute" => "PATCH",
                "HttpDeleteAttribute" => "DELETE",
                _ => null,
            };
            if (name is null || type.ContainingNamespace?.ToDisplayString() != "Microsoft.AspNetCore.Mvc")
            {
                return null;
            }

            methods = methods.Add(name);
        }

        return methods.IsEmpty ? null : methods;
    }

    /// <summary>The HTTP methods that a <c>Map…</c> call maps; null when they are not known.</summary>
    public static ImmutableHashSet<string>? MethodsOf(IInvocationOperation mapping)
    {
        var name = mapping.TargetMethod.Name switch
        {
            "MapGet" => "GET",
            "MapPost" => "POST",
            "MapPut" => "PUT",
            "MapPatch" => "PATCH",
            "MapDelete" => "DELETE",
            _ => null,
        };
        if (name is not null)
        {
            return ImmutableHashSet.Create(StringComparer.OrdinalIgnoreCase, name);
        }

        var methods = mapping.TargetMethod.Name == "MapMethods" ? mapping.Arguments.FirstOrDefault(static argument => argument.Parameter?.Name == "httpMethods")?.Value : null;
        return methods is null ? null : Constants(methods);
    }

    // An array or a collection expression of constants.
    private static ImmutableHashSet<string>? Constants(IOperation operation)
    {
        var elements = Operations.WithoutConversions(operation) switch
        {
            IArrayCreationOperation { Initializer: { } initializer } => initializer.ElementValues,
            ICollectionExpressionOperation collection => collection.Elements,
            _ => default,
        };
        if (elements.IsDefaultOrEmpty)
        {
            return null;
        }

        var values = ImmutableHashSet.CreateBuilder<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var element in elements)
        {
            if (element.ConstantValue.Value is not string value && Operations.WithoutConversions(element).ConstantValue.Value is not string)
            {
                return null;
            }

            values.Add((string)Operations.WithoutConversions(element).ConstantValue.Value!);
        }

        return values.ToImmutable();
    }

    private static string ShortName(string name) => name.EndsWith("Attribute", StringComparison.Ordinal) ? name.Substring(0, name.Length - "Attribute".Length) : name;

    private static bool Same(ISymbol? symbol, ISymbol? known) => known is not null && SymbolEqualityComparer.Default.Equals(symbol?.OriginalDefinition, known);

    private static bool Implements(INamedTypeSymbol type, INamedTypeSymbol? known) => known is not null && type.AllInterfaces.Contains(known, SymbolEqualityComparer.Default);

    private static bool InheritsFrom(INamedTypeSymbol type, INamedTypeSymbol? known)
    {
        for (var current = type.BaseType; current is not null; current = current.BaseType)
        {
            if (Same(current, known))
            {
                return true;
            }
        }

        return false;
    }

    private static bool HasAttribute(ISymbol symbol, INamedTypeSymbol? known)
    {
        for (var current = symbol; current is not null; current = (current as INamedTypeSymbol)?.BaseType)
        {
            if (current.GetAttributes().Any(attribute => Same(attribute.AttributeClass, known)))
            {
                return true;
            }
        }

        return false;
    }
}
