using System.Buffers;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>A compiled selector, which selects values from a document. It is used concurrently by many requests.</summary>
public interface IIdempotencySelector
{
    /// <summary>
    /// The members of the root that the expression reads: for <c>[transaction_id, customer.id]</c>, <c>transaction_id</c> and <c>customer</c>. Empty if it names
    /// none (<c>@</c>, <c>[0].id</c>). At start-up, these names alone decide whether the expression is applied to the request envelope or to the body.
    /// </summary>
    IReadOnlyCollection<string> RootNames { get; }

    /// <summary>
    /// The members of one root member that the expression is known to read: for <c>[headers."x-tenant", body.id]</c> under <c>headers</c>, <c>x-tenant</c>. Empty (the default) if the expression does not show it.
    /// With <see cref="IdempotencyPolicy.ClientCaching"/>, <c>Vary</c> names the headers that a selector reads.
    /// </summary>
    /// <param name="rootName">One of <see cref="RootNames"/>.</param>
    IReadOnlyCollection<string> NamesUnder(string rootName) => [];

    /// <summary>Writes the selected values as JSON in UTF-8.</summary>
    /// <param name="document">The envelope or the body. Do not use it after the call.</param>
    /// <param name="selection">Receives the JSON: completely, or not at all if this method throws.</param>
    /// <returns>
    /// Whether the selection contains a value of the document: a string, a number, true or false, including <c>0</c>, <c>""</c> and <c>false</c>. If not
    /// (all selected values are absent, null or empty), it would be the same for every request without them, and is not a key.
    /// </returns>
    /// <exception cref="IdempotencySelectorException">The expression cannot be applied to this document.</exception>
    bool TrySelect(JsonElement document, IBufferWriter<byte> selection);
}
