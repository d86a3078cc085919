namespace Idempotency.AspNetCore;

/// <summary>A word of an expression.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Position">Where it starts.</param>
/// <param name="Text">Of a name, the name; of anything else, how a message calls it.</param>
/// <param name="Number">Of a number, the number; one beyond 32 bits is as far away as any index can be.</param>
/// <param name="Literal">Of a literal or a raw string, its value.</param>
internal sealed record Token(TokenKind Kind, int Position, string Text, int Number = 0, Value Literal = default);
