namespace Idempotency.AspNetCore;

/// <summary>A token of an expression.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Position">Its start.</param>
/// <param name="Text">The name of a name token; for other tokens, their description in messages.</param>
/// <param name="Number">The value of a number; values beyond 32 bits are limited to the largest index.</param>
/// <param name="Literal">The value of a literal or a raw string.</param>
internal sealed record Token(TokenKind Kind, int Position, string Text, int Number = 0, Value Literal = default);
