using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>IDEM002: the attribute is where it can have no effect. IDEM003: the endpoint takes only methods that its policy does not cover.</summary>
/// <remarks>The application finds the same when it starts, and more (what needs its endpoints, or the policies of its configuration). Here is what the code alone tells.</remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class MarkAnalyzer : DiagnosticAnalyzer
{
    /// <summary>The property of a diagnostic whose attribute belongs on the class around the method.</summary>
    public const string BelongsOnClass = nameof(BelongsOnClass);

    private static readonly ImmutableHashSet<string> Safe = ImmutableHashSet.Create(StringComparer.OrdinalIgnoreCase, "GET", "HEAD", "OPTIONS", "TRACE");

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = ImmutableArray.Create(Rules.NoEffect, Rules.OnlyReads);

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (KnownTypes.Of(start.Compilation) is not { } known)
            {
                return;
            }

            var defaults = new Lazy<bool>(() => MayCoverReads(start.Compilation, start.CancellationToken));
            start.RegisterSymbolAction(context => OnType(context, known), SymbolKind.NamedType);
            start.RegisterSymbolAction(context => OnMethod(context, known, defaults), SymbolKind.Method);
            start.RegisterOperationAction(context => OnCall(context, known, defaults), OperationKind.Invocation);
        });
    }

    private static void OnType(SymbolAnalysisContext context, KnownTypes known)
    {
        var type = (INamedTypeSymbol)context.Symbol;
        if (known.IsHub(type) && known.MarkOn(type) is { } mark && known.IsProtecting(mark.Attribute))
        {
            ReportNoEffect(context.ReportDiagnostic, mark, type.Name, "a connection of a SignalR hub has no response that can be replayed. Run the work of a hub method once with IIdempotentExecutor.", context.CancellationToken);
        }
    }

    private static void OnMethod(SymbolAnalysisContext context, KnownTypes known, Lazy<bool> mayCoverReads)
    {
        var method = (IMethodSymbol)context.Symbol;
        if (known.MarkOn(method) is not { } mark || method.ContainingType is not { } type)
        {
            return;
        }

        var name = $"{type.Name}.{method.Name}";
        if (known.IsPageModel(type))
        {
            ReportNoEffect(context.ReportDiagnostic, mark, name, $"one endpoint serves all handlers of a Razor page. Put it on the page's model, {type.Name}.", context.CancellationToken, belongsOnClass: true);
        }
        else if (known.IsHub(type))
        {
            ReportNoEffect(context.ReportDiagnostic, mark, name, "it is a hub method, whose calls share one connection. Run the work once with IIdempotentExecutor.", context.CancellationToken);
        }
        else if (known.IsController(type))
        {
            if (known.IsNoAction(method))
            {
                ReportNoEffect(context.ReportDiagnostic, mark, name, "the method is no action of the controller. Put it on the action, or run the work once with IIdempotentExecutor.", context.CancellationToken);
            }
            else if (known.MethodsOf(method) is { } methods)
            {
                ReportOnlyReads(context.ReportDiagnostic, known, mark.Attribute, methods, mayCoverReads, context.CancellationToken);
            }
        }
    }

    private static void OnCall(OperationAnalysisContext context, KnownTypes known, Lazy<bool> mayCoverReads)
    {
        var call = (IInvocationOperation)context.Operation;
        if (known.IsMapping(call.TargetMethod))
        {
            OnMapped(context, call, known, mayCoverReads);
        }
        else if (known.IsConvention(call.TargetMethod))
        {
            OnConvention(context, call, known, mayCoverReads);
        }
        else
        {
            OnDirectCall(context, call, known);
        }
    }

    // MapGet("/", [Idempotent] () => ...), MapGet("/", Handler) of a marked handler, and any handler in a marked class.
    private static void OnMapped(OperationAnalysisContext context, IInvocationOperation call, KnownTypes known, Lazy<bool> mayCoverReads)
    {
        foreach (var argument in call.Arguments)
        {
            var handler = Operations.WithoutConversions(argument.Value) switch
            {
                IAnonymousFunctionOperation lambda => lambda.Symbol,
                IMethodReferenceOperation reference => reference.Method,
                _ => null,
            };
            if (handler is null)
            {
                continue;
            }

            if (known.MarkOn(handler) is { } mark)
            {
                if (KnownTypes.MethodsOf(call) is { } methods)
                {
                    ReportOnlyReads(context.ReportDiagnostic, known, mark.Attribute, methods, mayCoverReads, context.CancellationToken);
                }

                continue;
            }

            for (var type = handler.ContainingType; type is not null; type = type.ContainingType)
            {
                if (known.MarkOn(type) is { } onClass && !known.IsController(type) && !known.IsPageModel(type) && !known.IsHub(type))
                {
                    context.ReportDiagnostic(Diagnostic.Create(
                        Rules.NoEffect,
                        Operations.NameLocation(call),
                        onClass.Name,
                        $"the class {type.Name}",
                        $"only the attributes of the mapped method are read. Put it on the method, or call {(known.IsProtecting(onClass.Attribute) ? "WithIdempotency" : "DisableIdempotency")}() on the endpoint or its group."));
                }
            }
        }
    }

    // MapGet(...).WithName("x").WithIdempotency(): the calls between return what they are called on.
    private static void OnConvention(OperationAnalysisContext context, IInvocationOperation call, KnownTypes known, Lazy<bool> mayCoverReads)
    {
        if (call.Arguments.Length != 1)
        {
            return; // a policy by name, or of its own: start-up knows which methods it covers
        }

        var receiver = call.Arguments[0].Value;
        while (Operations.WithoutConversions(receiver) is IInvocationOperation inner)
        {
            if (known.IsMapping(inner.TargetMethod))
            {
                if (KnownTypes.MethodsOf(inner) is { } methods && methods.All(Safe.Contains) && !mayCoverReads.Value)
                {
                    context.ReportDiagnostic(Diagnostic.Create(Rules.OnlyReads, Operations.NameLocation(call), "WithIdempotency()", string.Join(", ", methods.OrderBy(static name => name, StringComparer.Ordinal))));
                }

                return;
            }

            if ((inner.Instance ?? inner.Arguments.FirstOrDefault()?.Value) is not { } next)
            {
                return;
            }

            receiver = next;
        }
    }

    // A method that is called, as one would call it with an aspect around it. The attribute protects requests to an endpoint, not calls.
    private static void OnDirectCall(OperationAnalysisContext context, IInvocationOperation call, KnownTypes known)
    {
        var method = call.TargetMethod.OriginalDefinition;
        if (SymbolEqualityComparer.Default.Equals(method.ContainingAssembly, context.Compilation.Assembly)
            && method.ContainingType is { } type
            && !known.IsController(type) && !known.IsPageModel(type) && !known.IsHub(type)
            && known.MarkOn(method) is { } mark
            && known.IsProtecting(mark.Attribute))
        {
            context.ReportDiagnostic(Diagnostic.Create(Rules.NoEffect, Operations.NameLocation(call), mark.Name, $"a direct call of {method.Name}", "it protects requests to an endpoint. Run the work once with IIdempotentExecutor."));
        }
    }

    private static void ReportOnlyReads(Action<Diagnostic> report, KnownTypes known, AttributeData attribute, ImmutableHashSet<string> methods, Lazy<bool> mayCoverReads, CancellationToken cancellationToken)
    {
        // A policy by name, and an attribute of the application's own: start-up knows.
        if (!known.IsIdempotentAttribute(attribute) || attribute.ConstructorArguments.Length > 0 || attribute.ApplicationSyntaxReference?.GetSyntax(cancellationToken) is not { } syntax)
        {
            return;
        }

        var listed = attribute.NamedArguments.FirstOrDefault(static argument => argument.Key == "Methods").Value;
        var isCovered = listed is { Kind: TypedConstantKind.Array, IsNull: false }
            ? listed.Values.Any(value => value.Value is not string name || methods.Contains(name))
            : !methods.All(Safe.Contains) || mayCoverReads.Value;
        if (!isCovered)
        {
            report(Diagnostic.Create(Rules.OnlyReads, syntax.GetLocation(), $"[{syntax}]", string.Join(", ", methods.OrderBy(static name => name, StringComparer.Ordinal))));
        }
    }

    private static void ReportNoEffect(Action<Diagnostic> report, (AttributeData Attribute, string Name) mark, string where, string why, CancellationToken cancellationToken, bool belongsOnClass = false)
    {
        if (mark.Attribute.ApplicationSyntaxReference?.GetSyntax(cancellationToken) is { } syntax)
        {
            var properties = belongsOnClass ? ImmutableDictionary<string, string?>.Empty.Add(BelongsOnClass, "true") : ImmutableDictionary<string, string?>.Empty;
            report(Diagnostic.Create(Rules.NoEffect, syntax.GetLocation(), properties, mark.Name, where, why));
        }
    }

    /// <summary>Whether the default policy may cover methods that read: something sets <c>Methods</c> in code, or the options come from configuration. Then start-up knows, and says so.</summary>
    private static bool MayCoverReads(Compilation compilation, CancellationToken cancellationToken) => compilation.SyntaxTrees.Any(tree => tree.GetRoot(cancellationToken).DescendantNodes().Any(static node => node switch
    {
        AssignmentExpressionSyntax { Left: var left } => (left as IdentifierNameSyntax ?? (left as MemberAccessExpressionSyntax)?.Name)?.Identifier.ValueText == "Methods" && !node.Ancestors().Any(static ancestor => ancestor.IsKind(SyntaxKind.Attribute)),
        InvocationExpressionSyntax call => Operations.LooksLikeCallOf(call, "AddIdempotency") && call.ArgumentList.Arguments.Any(static argument => argument.Expression is not AnonymousFunctionExpressionSyntax),
        _ => false,
    }));
}
