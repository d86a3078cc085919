namespace Idempotency.AspNetCore;

/// <summary>Why a request of the page is not answered.</summary>
internal sealed record DashboardProblem(int Status, string Detail);
