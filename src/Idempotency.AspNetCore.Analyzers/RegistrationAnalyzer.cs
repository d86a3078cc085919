using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>IDEM001: endpoints are marked in an application that never calls <c>AddIdempotency()</c>.</summary>
/// <remarks>
/// <para>An application is an executable that makes a web application or a web host. A class library is part of somebody else's, and tests that use another project's <c>Program</c> make none.</para>
/// <para>The call may be in another assembly (service defaults, a module): where a referenced assembly that is not ours refers to the library, it may register it, and nothing is reported.</para>
/// </remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class RegistrationAnalyzer : DiagnosticAnalyzer
{
    private static readonly ImmutableHashSet<string> OwnSuffixes = ImmutableHashSet.Create("", ".DynamoDB", ".EntityFrameworkCore", ".JmesPath", ".OpenApi", ".Redis", ".StoreConformance");

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = ImmutableArray.Create(Rules.NotRegistered);

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        // Generated code is read, because it may register; nothing is reported in it.
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.Analyze);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (start.Compilation.Options.OutputKind is OutputKind.ConsoleApplication or OutputKind.WindowsApplication
                && KnownTypes.Of(start.Compilation) is { } known
                && !MayBeRegisteredElsewhere(start.Compilation, known.CoreName))
            {
                new Findings(known).Register(start);
            }
        });
    }

    private static bool MayBeRegisteredElsewhere(Compilation compilation, string core) => compilation.SourceModule.ReferencedAssemblySymbols.Any(assembly =>
        !(assembly.Name.StartsWith(core, StringComparison.Ordinal) && OwnSuffixes.Contains(assembly.Name.Substring(core.Length)))
        && assembly.Modules.Any(module => module.ReferencedAssemblies.Any(reference => reference.Name == core)));

    private sealed class Findings(KnownTypes known)
    {
        private readonly ConcurrentBag<(Location Location, string What)> _marks = [];
        private volatile bool _isRegistered;
        private volatile bool _isApplication;

        public void Register(CompilationStartAnalysisContext start)
        {
            start.RegisterOperationAction(context => OnCall((IInvocationOperation)context.Operation), OperationKind.Invocation);
            start.RegisterOperationAction(context => OnReference((IMethodReferenceOperation)context.Operation), OperationKind.MethodReference);
            start.RegisterOperationAction(context => OnInvalid(context.Operation), OperationKind.Invalid);
            start.RegisterOperationAction(context => OnMarked(((IAnonymousFunctionOperation)context.Operation).Symbol, context.CancellationToken), OperationKind.AnonymousFunction);
            start.RegisterOperationAction(context => OnMarked(((ILocalFunctionOperation)context.Operation).Symbol, context.CancellationToken), OperationKind.LocalFunction);
            start.RegisterSymbolAction(context => OnMarked(context.Symbol, context.CancellationToken), SymbolKind.NamedType, SymbolKind.Method);
            start.RegisterCompilationEndAction(Report);
        }

        private void OnCall(IInvocationOperation call)
        {
            var method = call.TargetMethod;
            if (known.IsRegistration(method))
            {
                _isRegistered = true;
            }
            else if (known.IsConvention(method))
            {
                _marks.Add((Operations.NameLocation(call), "WithIdempotency()"));
            }
            else if (method.Name is "ConfigureWebHostDefaults" or "ConfigureWebHost" or "ConfigureSlimWebHost"
                || method.ReturnType is { Name: "WebApplication" or "IWebHost" or "IWebHostBuilder" } made && made.ContainingNamespace.ToDisplayString() is "Microsoft.AspNetCore.Builder" or "Microsoft.AspNetCore.Hosting")
            {
                _isApplication = true;
            }
        }

        private void OnReference(IMethodReferenceOperation reference)
        {
            if (known.IsRegistration(reference.Method))
            {
                _isRegistered = true;
            }
        }

        // A call that does not compile yet is there all the same.
        private void OnInvalid(IOperation operation)
        {
            if (Operations.LooksLikeCallOf(operation.Syntax, "AddIdempotency"))
            {
                _isRegistered = true;
            }
        }

        private void OnMarked(ISymbol symbol, CancellationToken cancellationToken)
        {
            foreach (var attribute in symbol.GetAttributes())
            {
                if (known.IsProtecting(attribute) && attribute.ApplicationSyntaxReference?.GetSyntax(cancellationToken) is { } syntax)
                {
                    _marks.Add((syntax.GetLocation(), $"[{syntax}]"));
                }
            }
        }

        private void Report(CompilationAnalysisContext context)
        {
            if (_isRegistered || !_isApplication)
            {
                return;
            }

            foreach (var (location, what) in _marks.Distinct())
            {
                context.ReportDiagnostic(Diagnostic.Create(Rules.NotRegistered, location, what));
            }
        }
    }
}
