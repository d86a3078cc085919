namespace Idempotency.AspNetCore;

/// <summary>A selector cannot be applied to a document: the request is rejected with 400 <c>idempotency-key-invalid</c>, and its handler does not run.</summary>
/// <param name="message">The reason, which the client receives with the expression. It must not contain content of the document.</param>
/// <param name="innerException">The exception that caused it, if any.</param>
public sealed class IdempotencySelectorException(string message, Exception? innerException = null) : Exception(message, innerException);
