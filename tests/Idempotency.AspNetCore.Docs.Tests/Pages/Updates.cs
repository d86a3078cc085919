namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>What the code decides on a page. IDEMPOTENCY_UPDATE_DOCS=1 writes it there.</summary>
internal static class Updates
{
    public static bool AreWritten { get; } = Environment.GetEnvironmentVariable("IDEMPOTENCY_UPDATE_DOCS") == "1";

    /// <summary>The page as the code has it: snippets, the texts of problems, the names of log events.</summary>
    public static string Of(string page) => LogEvents.Update(Problems.Update(Snippets.Update(page)));
}
