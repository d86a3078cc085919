using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>IDEM004: the task of <c>StepAsync</c> or <c>MarkEffectsStartedAsync</c> is dropped.</summary>
/// <remarks>Dropped is what is a statement of its own, a discard, or a local that nobody reads. What is returned, passed on or stored elsewhere may be awaited there.</remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class UnawaitedRunAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = ImmutableArray.Create(Rules.NotAwaited);

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (KnownTypes.Of(start.Compilation) is { } known)
            {
                start.RegisterOperationAction(
                    context =>
                    {
                        var call = (IInvocationOperation)context.Operation;
                        if (known.IsOfRun(call.TargetMethod) && IsDropped(call))
                        {
                            context.ReportDiagnostic(Diagnostic.Create(Rules.NotAwaited, Operations.NameLocation(call), call.TargetMethod.Name));
                        }
                    },
                    OperationKind.Invocation);
            }
        });
    }

    private static bool IsDropped(IOperation task)
    {
        while (Operations.Taker(task) is { } taker)
        {
            switch (taker)
            {
                case IExpressionStatementOperation:
                    return true;

                case ISimpleAssignmentOperation { Target: IDiscardOperation } assignment when assignment.Value == task || Operations.WithoutConversions(assignment.Value) == task:
                    return true;

                case IVariableInitializerOperation { Parent: IVariableDeclaratorOperation { Symbol: var local } declarator }:
                    return !IsRead(local, declarator);

                case ISimpleAssignmentOperation { Target: ILocalReferenceOperation { Local: var assigned }, Parent: IExpressionStatementOperation } assignment:
                    return !IsRead(assigned, assignment);

                // run?.StepAsync(...), run?.MarkEffectsStartedAsync() ?? Task.CompletedTask, a ? run.StepAsync(...) : other
                case IConditionalAccessOperation conditional when conditional.WhenNotNull == task || Operations.WithoutConversions(conditional.WhenNotNull) == task:
                case ICoalesceOperation:
                case IConditionalOperation { Type: not null } choice when Operations.WithoutConversions(choice.Condition) != task:
                    task = taker;
                    continue;

                // run.StepAsync(...).ConfigureAwait(false)
                case IInvocationOperation { TargetMethod.Name: "ConfigureAwait", Instance: { } instance } when Operations.WithoutConversions(instance) == task:
                    task = taker;
                    continue;

                // Task.WhenAll(run.StepAsync(...), run.StepAsync(...)), which somebody must await in turn
                case IArrayInitializerOperation or IArrayCreationOperation or ICollectionExpressionOperation or IArgumentOperation:
                    task = taker;
                    continue;

                case IInvocationOperation { TargetMethod: { Name: "WhenAll" or "WhenAny", ContainingType.Name: "Task" } } when task is IArgumentOperation:
                    task = taker;
                    continue;

                default:
                    return false;
            }
        }

        return false;
    }

    private static bool IsRead(ILocalSymbol local, IOperation place)
    {
        var root = place;
        while (root.Parent is { } parent)
        {
            root = parent;
        }

        return root.Descendants().OfType<ILocalReferenceOperation>().Any(reference =>
            SymbolEqualityComparer.Default.Equals(reference.Local, local) && !(reference.Parent is ISimpleAssignmentOperation assignment && assignment.Target == reference));
    }
}
