using System.Buffers;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>A compiled selector: what of a document counts. Used by many requests at once.</summary>
public interface IIdempotencySelector
{
    /// <summary>
    /// The members that the expression reads of the document's root: of <c>[transaction_id, customer.id]</c>, <c>transaction_id</c> and <c>customer</c>. Empty when it names
    /// none (<c>@</c>, <c>[0].id</c>). From it alone it is decided, at start-up, whether the expression is applied to the request's envelope or to its body.
    /// </summary>
    IReadOnlyCollection<string> RootNames { get; }

    /// <summary>
    /// The members that the expression is seen to read of one member of the root: of <c>[headers."x-tenant", body.id]</c> under <c>headers</c>, <c>x-tenant</c>. Empty (the default) when that cannot be told from the expression.
    /// With <see cref="IdempotencyPolicy.ClientCaching"/>, <c>Vary</c> names the headers that a selector reads.
    /// </summary>
    /// <param name="rootName">One of <see cref="RootNames"/>.</param>
    IReadOnlyCollection<string> NamesUnder(string rootName) => [];

    /// <summary>Writes what the expression selects as JSON in UTF-8.</summary>
    /// <param name="document">The envelope or the body. Not kept.</param>
    /// <param name="selection">Where it is written; whole or not at all when this throws.</param>
    /// <returns>
    /// Whether any value of the document takes part: a string, a number, true or false, <c>0</c>, <c>""</c> and <c>false</c> included. When not
    /// (all that was selected is absent, null or empty), it would be one and the same for every request that lacks it, and it is no key.
    /// </returns>
    /// <exception cref="IdempotencySelectorException">The expression cannot be applied to this document.</exception>
    bool TrySelect(JsonElement document, IBufferWriter<byte> selection);
}
