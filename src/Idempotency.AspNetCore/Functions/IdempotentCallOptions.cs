using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>Options for a call of <see cref="IIdempotentExecutor"/>.</summary>
public sealed record IdempotentCallOptions
{
    /// <summary>The name of a policy registered with <see cref="IdempotencyOptions.AddPolicy"/>. Null (the default): <see cref="IdempotencyOptions.DefaultPolicy"/>.</summary>
    public string? PolicyName { get; init; }

    /// <summary>
    /// The payload that must be the same when a key is used again; a different payload is rejected with <see cref="IdempotencyKeyReusedException"/>. Null (the
    /// default): nothing is compared. Set it always or never: a call with a payload and a call without one are different calls.
    /// </summary>
    public IdempotentPayload? Payload { get; init; }

    /// <summary>
    /// Separates callers, for example tenants: a key in one partition can never return, block or change the record of another partition. Null (the default): one
    /// partition for all calls. <see cref="IdempotencyPolicy.Partition"/> is not used, because it needs a request.
    /// </summary>
    public string? Partition { get; init; }

    /// <summary>
    /// The service scope that the work uses, for a policy with <see cref="IdempotencyTransaction.SameAsHandler"/>: the transaction of the run is started on the unit of work
    /// of this scope. Do not use the scope for anything else while the work runs. Null (the default) is sufficient for every other policy.
    /// </summary>
    public IServiceProvider? Services { get; init; }

    /// <summary>The JSON options for results. Null (the default): System.Text.Json's defaults, including fields. Recorded results must stay readable when the options change.</summary>
    public JsonSerializerOptions? SerializerOptions { get; init; }
}
