using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>What a call of <see cref="IIdempotentExecutor"/> may say beside its operation and key.</summary>
public sealed record IdempotentCallOptions
{
    /// <summary>The name of a policy registered with <see cref="IdempotencyOptions.AddPolicy"/>. Null (the default) means <see cref="IdempotencyOptions.DefaultPolicy"/>.</summary>
    public string? PolicyName { get; init; }

    /// <summary>
    /// What must be the same when a key is used again; another payload is refused with <see cref="IdempotencyKeyReusedException"/>. Null (the
    /// default) checks nothing. Give it always or never: a call with a payload and one without are different calls.
    /// </summary>
    public IdempotentPayload? Payload { get; init; }

    /// <summary>
    /// Separates callers, for example tenants: one partition's key can never fetch, block or poison another's. Null (the default) is one
    /// partition for all; the policy's own <see cref="IdempotencyPolicy.Partition"/> asks a request, and there is none here.
    /// </summary>
    public string? Partition { get; init; }

    /// <summary>
    /// The scope in which the work finds its unit of work, for a policy with <see cref="IdempotencyTransaction.SameAsHandler"/>: the run's transaction is begun on the unit of work
    /// of this scope, and is its own while the work runs. Null (the default) is enough for every other policy.
    /// </summary>
    public IServiceProvider? Services { get; init; }

    /// <summary>How results are written and read. Null (the default) means <see cref="JsonSerializerOptions.Default"/>. Results that are kept must stay readable when it changes.</summary>
    public JsonSerializerOptions? SerializerOptions { get; init; }
}
