namespace Idempotency.AspNetCore.TestHost;

/// <summary>That a handler ran: one line in its server's effects file, written before anything else happens.</summary>
/// <param name="Id">Its own; the handler's answer carries it.</param>
/// <param name="Key">The idempotency key.</param>
/// <param name="Attempt">The attempt's number.</param>
/// <param name="Server">Which server.</param>
/// <param name="Fails">Whether the handler goes on to answer 500, which gives the key back.</param>
/// <param name="At">When, by <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/>: on Linux one clock for all processes.</param>
internal sealed record Effect(Guid Id, string Key, int Attempt, string Server, bool Fails, long At);
