namespace Idempotency.AspNetCore;

/// <summary>The identified request, or the reason why there is none to protect. Exactly one member is set.</summary>
internal readonly record struct Identification
{
    /// <summary>The request, with its key.</summary>
    public IdentifiedRequest? Request { get; private init; }

    /// <summary>The problem with which it is rejected.</summary>
    public IdempotencyProblem? Problem { get; private init; }

    /// <summary>The body, for the handler, of a request that has no key and needs none.</summary>
    public RequestBody? WithoutKey { get; private init; }

    /// <summary>The status with which the framework responds to a body that cannot be read.</summary>
    public int? UnreadableBodyStatus { get; private init; }

    public static Identification Of(IdentifiedRequest request) => new() { Request = request };

    public static Identification NoKey(RequestBody body = default) => new() { WithoutKey = body };

    public static Identification UnreadableBody(int status) => new() { UnreadableBodyStatus = status };

    public static implicit operator Identification(IdempotencyProblem problem) => new() { Problem = problem };
}
