using System.Reflection;
using Microsoft.CodeAnalysis;

namespace Idempotency.AspNetCore.Analyzers;

/// <summary>The rules. Each has a section in docs/analyzers.md under its id.</summary>
internal static class Rules
{
    private const string Category = "Idempotency";

    public static readonly DiagnosticDescriptor NotRegistered = new(
        "IDEM001",
        "Idempotency is not registered",
        "{0} needs AddIdempotency(), which this application never calls. Call builder.Services.AddIdempotency().",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "An endpoint is marked as idempotent in an application that never calls AddIdempotency(), so a retry would run it again.",
        HelpLink("IDEM001"),
        WellKnownDiagnosticTags.CompilationEnd);

    public static readonly DiagnosticDescriptor NoEffect = new(
        "IDEM002",
        "The attribute has no effect here",
        "{0} on {1} has no effect: {2}",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "The attribute is in a place where ASP.NET Core does not make endpoint metadata of it.",
        HelpLink("IDEM002"));

    public static readonly DiagnosticDescriptor OnlyReads = new(
        "IDEM003",
        "The policy covers no method of the endpoint",
        "{0} has no effect: the endpoint takes {1}, which its policy does not cover. Set Methods to protect it all the same.",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "A policy covers all methods but GET, HEAD, OPTIONS and TRACE, unless it lists others.",
        HelpLink("IDEM003"));

    public static readonly DiagnosticDescriptor NotAwaited = new(
        "IDEM004",
        "A call of the run is not awaited",
        "The task of {0} is not awaited: the handler goes on before it is done, and its exceptions are lost",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "The effect must not start before MarkEffectsStartedAsync is done, and a step that is not awaited may be cut off by the end of the run.",
        HelpLink("IDEM004"));

    public static readonly DiagnosticDescriptor RequestToken = new(
        "IDEM005",
        "The request's cancellation reaches work that must finish",
        "'{0}' is cancelled with the request or its connection, and would end {1} in the middle of its effect. Pass {2}.",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "Work that runs once must not end halfway because a client went away: its effect may or may not have happened, and a retry runs it again.",
        HelpLink("IDEM005"));

    // The page's address is a property of the build; without one, there is no link.
    private static string HelpLink(string id)
    {
        foreach (var metadata in typeof(Rules).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>())
        {
            if (metadata.Key == "AnalyzersPage" && metadata.Value is { Length: > 0 } page)
            {
                return $"{page}#{id.ToLowerInvariant()}";
            }
        }

        return "";
    }
}
