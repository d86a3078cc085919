namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What a load generator is asked to do.</summary>
/// <param name="Port">The server's port.</param>
/// <param name="Traffic">What is sent.</param>
/// <param name="Connections">Over how many connections.</param>
/// <param name="Seconds">For how long.</param>
/// <param name="Rate">
/// How many requests a second are due, whether or not earlier ones are answered (an open loop); 0 for as many as are answered, each connection sending its next request when it has
/// its answer (a closed loop).
/// </param>
internal sealed record LoadOrder(int Port, Traffic Traffic, int Connections, double Seconds, double Rate = 0);
