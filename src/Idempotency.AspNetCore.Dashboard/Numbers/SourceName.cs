namespace Idempotency.AspNetCore;

/// <summary>What requests are counted by: an endpoint's method and route, or a function's operation.</summary>
internal readonly record struct SourceName(bool IsFunction, string? Method, string? Name)
{
    /// <summary>For people. A meter that does not tell the method, or the route, leaves it out.</summary>
    public string Text => Method is null ? Name ?? "(no route)" : $"{Method} {Name ?? "(no route)"}";
}
