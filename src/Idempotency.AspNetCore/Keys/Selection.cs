namespace Idempotency.AspNetCore;

/// <summary>What of a document counts. Nothing, when there is neither a hash nor an error.</summary>
/// <param name="Hash">The SHA-256 of its canonical form in hexadecimal.</param>
/// <param name="Error">Why the selector cannot be applied, for the client: names the expression, and nothing of the document.</param>
internal readonly record struct Selection(string? Hash, string? Error = null);
