namespace Idempotency.AspNetCore;

/// <summary>The types of JSON, and so of JMESPath.</summary>
internal enum ValueKind
{
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}
