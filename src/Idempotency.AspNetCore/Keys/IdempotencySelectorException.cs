namespace Idempotency.AspNetCore;

/// <summary>A selector cannot be applied to a document: the request is answered with 400 <c>idempotency-key-invalid</c>, and its handler is not run.</summary>
/// <param name="message">What the client is told: the reason, without anything of the document itself. The expression is told beside it.</param>
/// <param name="innerException">What brought it about, if anything.</param>
public sealed class IdempotencySelectorException(string message, Exception? innerException = null) : Exception(message, innerException);
