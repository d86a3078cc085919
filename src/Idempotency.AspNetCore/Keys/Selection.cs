namespace Idempotency.AspNetCore;

/// <summary>The values selected from a document. Nothing was selected if there is neither a hash nor an error.</summary>
/// <param name="Hash">The SHA-256 of their canonical form in hexadecimal.</param>
/// <param name="Error">The reason why the selector cannot be applied, for the client. It contains the expression, and nothing of the document.</param>
internal readonly record struct Selection(string? Hash, string? Error = null);
