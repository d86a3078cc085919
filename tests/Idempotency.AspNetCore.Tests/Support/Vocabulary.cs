using System.Reflection;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The words of telemetry, as the code has them.</summary>
internal static class Vocabulary
{
    /// <summary>Every value of <c>idempotency.outcome</c>: its own words, and the codes of problems and exceptions.</summary>
    public static IReadOnlySet<string> Outcomes { get; } = typeof(Telemetry).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Where(field => field.IsLiteral && field.Name != nameof(Telemetry.Name)).Select(field => (string)field.GetRawConstantValue()!)
        .Concat(IdempotencyProblem.All.Select(problem => problem.Code))
        .Concat(typeof(IdempotencyException).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(IdempotencyException))).Select(type => ((IdempotencyException)Activator.CreateInstance(type)!).Code))
        .ToHashSet(StringComparer.Ordinal);
}
