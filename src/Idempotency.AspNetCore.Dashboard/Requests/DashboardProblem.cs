namespace Idempotency.AspNetCore;

/// <summary>Why a request of the page is rejected.</summary>
internal sealed record DashboardProblem(int Status, string Detail);
