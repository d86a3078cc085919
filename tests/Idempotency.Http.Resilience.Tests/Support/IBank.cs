using Refit;

namespace Idempotency.Http.Tests;

/// <summary>A bank, as a Refit client sees it.</summary>
internal interface IBank
{
    [Post("/payments")]
    Task<Paid> PayAsync([Body] Ask ask);

    [Post("/payments")]
    Task<Paid> PayAsync([Body] Ask ask, [Header("Idempotency-Key")] string key);
}

internal sealed record Ask(decimal Amount);

internal sealed record Paid(int Id, string Receipt);
