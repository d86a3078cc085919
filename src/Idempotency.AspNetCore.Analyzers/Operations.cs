using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>What several rules ask about operations.</summary>
internal static class Operations
{
    /// <summary>What is converted, without the conversions and the making of a delegate around it.</summary>
    public static IOperation WithoutConversions(IOperation operation) => operation switch
    {
        IConversionOperation conversion => WithoutConversions(conversion.Operand),
        IDelegateCreationOperation creation => WithoutConversions(creation.Target),
        IParenthesizedOperation parenthesized => WithoutConversions(parenthesized.Operand),
        _ => operation,
    };

    /// <summary>What takes a value, beyond the conversions around it.</summary>
    public static IOperation? Taker(IOperation value)
    {
        var taker = value.Parent;
        while (taker is IConversionOperation or IDelegateCreationOperation or IParenthesizedOperation)
        {
            taker = taker.Parent;
        }

        return taker;
    }

    /// <summary>Where a call names its method, without the receiver before it and the arguments after it.</summary>
    public static Location NameLocation(IInvocationOperation invocation) => invocation.Syntax is InvocationExpressionSyntax call
        ? call.Expression switch
        {
            MemberAccessExpressionSyntax access => access.Name.GetLocation(),
            MemberBindingExpressionSyntax binding => binding.Name.GetLocation(),
            var expression => expression.GetLocation(),
        }
        : invocation.Syntax.GetLocation();

    /// <summary>Whether syntax that does not compile looks like a call of a method.</summary>
    public static bool LooksLikeCallOf(SyntaxNode syntax, string method) => syntax.IsKind(SyntaxKind.InvocationExpression)
        && ((InvocationExpressionSyntax)syntax).Expression is var expression
        && (expression as MemberAccessExpressionSyntax)?.Name.Identifier.ValueText == method;
}
