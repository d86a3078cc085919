namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>One request of one client, as the client saw it.</summary>
/// <param name="Client">Who asked; the checks at the end ask as <see cref="History.Auditor"/>.</param>
/// <param name="Endpoint">What the policy is.</param>
/// <param name="Key">The idempotency key.</param>
/// <param name="Server">Which server was asked.</param>
/// <param name="SentAt">When, on the clock of <see cref="Effect.At"/>.</param>
/// <param name="ToldAt">When the answer was there, or the client had given up.</param>
/// <param name="Answer">The answer.</param>
internal sealed record Operation(string Client, string Endpoint, string Key, string Server, long SentAt, long ToldAt, Answer Answer)
{
    /// <summary>An answer that every later one must agree with: a success not marked as unrecorded.</summary>
    public bool Binds => Answer is { IsSuccess: true, IsUnstored: false };
}
