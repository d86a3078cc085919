using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>IDEM005: the token of a request or a connection reaches work that runs once.</summary>
/// <remarks>
/// <para>The tokens: <c>HttpContext.RequestAborted</c>, a hub's <c>ConnectionAborted</c>, the <c>CancellationToken</c> of a gRPC call, and a local that was set to one of them.</para>
/// <para>The work: a call of <c>IIdempotentExecutor</c> or of a run, as its token or within the function that it runs. For the executor, which may be called in endpoints that are not protected, the <c>CancellationToken</c>
/// parameter of a handler or an action counts too: it is the same token. In a step it does not: there the library has detached it from the connection.</para>
/// </remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class RequestTokenAnalyzer : DiagnosticAnalyzer
{
    /// <summary>The property of a diagnostic that has what to pass instead.</summary>
    public const string Replacement = nameof(Replacement);

    private const string None = "CancellationToken.None";

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = ImmutableArray.Create(Rules.RequestToken);

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (KnownTypes.Of(start.Compilation) is { } known)
            {
                start.RegisterOperationAction(context => OnToken(context, known), OperationKind.PropertyReference, OperationKind.LocalReference, OperationKind.ParameterReference);
            }
        });
    }

    private static void OnToken(OperationAnalysisContext context, KnownTypes known)
    {
        var token = context.Operation;
        if (token.Type is not { Name: "CancellationToken", ContainingNamespace: { Name: "Threading", ContainingNamespace.Name: "System" } })
        {
            return;
        }

        var isParameter = token is IParameterReferenceOperation;
        if (!isParameter && !IsOfRequest(token, context.Operation.SemanticModel, context.CancellationToken))
        {
            return;
        }

        if (Work(token, known) is not { } work
            || (isParameter && (!known.IsOfExecutor(work.Call.TargetMethod) || !IsHandlers((IParameterReferenceOperation)token, known))))
        {
            return;
        }

        // Within the work, its own token ends it when the claim is lost; as the token of the call, none ends it.
        var replacement = work.Function?.Symbol.Parameters.LastOrDefault() is { Name: not "_", Type.Name: "CancellationToken" } own ? own.Name : None;
        context.ReportDiagnostic(Diagnostic.Create(
            Rules.RequestToken,
            token.Syntax.GetLocation(),
            ImmutableDictionary<string, string?>.Empty.Add(Replacement, replacement),
            token.Syntax.ToString(),
            work.Call.TargetMethod.Name,
            replacement == None ? None : $"'{replacement}', the token of the work"));
    }

    private static bool IsOfRequest(IOperation token, SemanticModel? model, CancellationToken cancellationToken) => token switch
    {
        IPropertyReferenceOperation { Property: { Name: var name, ContainingType: { } type } } => (name, type.ToDisplayString()) is
            ("RequestAborted", "Microsoft.AspNetCore.Http.HttpContext" or "Microsoft.AspNetCore.Http.Features.IHttpRequestLifetimeFeature")
            or ("ConnectionAborted", "Microsoft.AspNetCore.SignalR.HubCallerContext")
            or ("CancellationToken", "Grpc.Core.ServerCallContext"),
        ILocalReferenceOperation { Local.DeclaringSyntaxReferences: { Length: 1 } declared } =>
            declared[0].GetSyntax(cancellationToken) is VariableDeclaratorSyntax { Initializer.Value: { } value }
            && value.SyntaxTree == model?.SyntaxTree
            && model.GetOperation(value, cancellationToken) is IPropertyReferenceOperation origin
            && IsOfRequest(origin, model, cancellationToken),
        _ => false,
    };

    /// <summary>The call of the library that the token reaches, and the function within which it does; null for the call's own token.</summary>
    private static (IInvocationOperation Call, IAnonymousFunctionOperation? Function)? Work(IOperation token, KnownTypes known)
    {
        IAnonymousFunctionOperation? function = null;
        for (var current = token; current is not null; current = current.Parent)
        {
            switch (current)
            {
                case IArgumentOperation { Parent: IInvocationOperation call } argument when known.IsOfRun(call.TargetMethod) || known.IsOfExecutor(call.TargetMethod):
                    var passed = Operations.WithoutConversions(argument.Value);
                    if (passed == token)
                    {
                        return (call, null);
                    }

                    return passed is IAnonymousFunctionOperation && function == passed ? (call, function) : null;

                case IAnonymousFunctionOperation lambda:
                    function = lambda;
                    break;

                default:
                    break;
            }
        }

        return null;
    }

    /// <summary>Whether a parameter is that of a handler, which the framework binds to the request's token: of a mapped lambda, local function or method, of an action, of a page's handler, of a hub method.</summary>
    private static bool IsHandlers(IParameterReferenceOperation reference, KnownTypes known)
    {
        if (reference.Parameter.ContainingSymbol is not IMethodSymbol method)
        {
            return false;
        }

        if (method.MethodKind is MethodKind.AnonymousFunction or MethodKind.LocalFunction)
        {
            return Root(reference).Descendants().Any(operation => operation is IArgumentOperation { Parent: IInvocationOperation mapping } argument
                && known.IsMapping(mapping.TargetMethod)
                && Operations.WithoutConversions(argument.Value) switch
                {
                    IAnonymousFunctionOperation lambda => SymbolEqualityComparer.Default.Equals(lambda.Symbol, method),
                    IMethodReferenceOperation handler => SymbolEqualityComparer.Default.Equals(handler.Method, method),
                    _ => false,
                });
        }

        return method.DeclaredAccessibility == Accessibility.Public
            && method.ContainingType is { } type
            && (known.IsHub(type)
                || (known.IsPageModel(type) && method.Name.StartsWith("On", StringComparison.Ordinal))
                || (known.IsController(type) && !known.IsNoAction(method)));
    }

    private static IOperation Root(IOperation operation)
    {
        while (operation.Parent is { } parent)
        {
            operation = parent;
        }

        return operation;
    }
}
