namespace Idempotency.AspNetCore;

/// <summary>The one table from the values of the meter's tag <c>idempotency.outcome</c> to what the page shows.</summary>
internal static class Outcomes
{
    public const string Tag = "idempotency.outcome";

    /// <summary>What a value stands for. One that is not known is counted as <see cref="RequestOutcome.Other"/>: a page must not hide requests.</summary>
    public static RequestOutcome Of(string value) => value.Replace('_', '-') switch
    {
        "executed" => RequestOutcome.Executed,
        "replayed" => RequestOutcome.Replayed,
        "unprotected" => RequestOutcome.Unprotected,
        "released" or "failed" => RequestOutcome.Failed,
        "not-recorded" => RequestOutcome.NotRecorded,
        "outcome-unknown" => RequestOutcome.OutcomeUnknown,
        "without-key" => RequestOutcome.WithoutKey,
        "rejected" or "antiforgery" => RequestOutcome.Rejected,
        var code when code.StartsWith("idempotency-", StringComparison.Ordinal) => RequestOutcome.Rejected,
        _ => RequestOutcome.Other,
    };

    public static string NameOf(RequestOutcome outcome) => outcome switch
    {
        RequestOutcome.Executed => "executed",
        RequestOutcome.Replayed => "replayed",
        RequestOutcome.Rejected => "rejected",
        RequestOutcome.Unprotected => "unprotected",
        RequestOutcome.Failed => "failed",
        RequestOutcome.NotRecorded => "notRecorded",
        RequestOutcome.OutcomeUnknown => "outcomeUnknown",
        RequestOutcome.WithoutKey => "withoutKey",
        _ => "other",
    };
}
