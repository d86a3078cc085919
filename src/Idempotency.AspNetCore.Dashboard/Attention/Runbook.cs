namespace Idempotency.AspNetCore;

/// <summary>What an operator does about each case. The package's README has the same sentences in a table.</summary>
internal static class Runbook
{
    public const string RunsAgain = "The next retry with this key runs the request again. If the client no longer retries, check the operation by hand.";

    public const string Resumes = "The next retry with this key continues after the recorded steps. If the client no longer retries, finish the operation by hand.";

    public const string ByPolicy = "The policy of its endpoint decides whether the next retry runs the request again. Look it up by method, path and key to see which.";

    public const string OutcomeUnknown = "Find out whether the effect happened, and undo or confirm it. Retries are rejected with 409 until the record is forgotten or expires.";

    public const string NotRecorded = "The client has its response, but a retry after the end of the lease may run the request again. Check the operation by hand.";

    public const string Unreadable = "The record is damaged, or a newer version wrote it, or its encryption key is gone. Retries are rejected with 503 until it is forgotten or expires.";

    public static string For(NextAttempt next) => next switch
    {
        NextAttempt.RunsAgain => RunsAgain,
        NextAttempt.Resumes => Resumes,
        NextAttempt.Rejected => OutcomeUnknown,
        _ => ByPolicy,
    };
}
