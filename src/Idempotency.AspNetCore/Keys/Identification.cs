namespace Idempotency.AspNetCore;

/// <summary>Which request this is, or why there is none to protect. Exactly one of the members is set.</summary>
internal readonly record struct Identification
{
    /// <summary>The request, with its key.</summary>
    public IdentifiedRequest? Request { get; private init; }

    /// <summary>Why it is rejected.</summary>
    public IdempotencyProblem? Problem { get; private init; }

    /// <summary>It has no key and needs none. Its body, to be given to the handler.</summary>
    public RequestBody? WithoutKey { get; private init; }

    /// <summary>The status with which the framework answers a body that cannot be read.</summary>
    public int? UnreadableBodyStatus { get; private init; }

    public static Identification Of(IdentifiedRequest request) => new() { Request = request };

    public static Identification NoKey(RequestBody body = default) => new() { WithoutKey = body };

    public static Identification UnreadableBody(int status) => new() { UnreadableBodyStatus = status };

    public static implicit operator Identification(IdempotencyProblem problem) => new() { Problem = problem };
}
