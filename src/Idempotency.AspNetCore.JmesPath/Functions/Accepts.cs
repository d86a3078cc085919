namespace Idempotency.AspNetCore;

/// <summary>The types that an argument can have.</summary>
[Flags]
internal enum Accepts
{
    Null = 1 << ValueKind.Null,
    Boolean = 1 << ValueKind.Boolean,
    Number = 1 << ValueKind.Number,
    String = 1 << ValueKind.String,
    Array = 1 << ValueKind.Array,
    Object = 1 << ValueKind.Object,
    Any = Null | Boolean | Number | String | Array | Object,

    /// <summary>An expression, <c>&amp;expression</c>, instead of a value.</summary>
    Reference = 1 << 6,
}
