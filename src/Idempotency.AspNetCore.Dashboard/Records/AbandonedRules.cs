namespace Idempotency.AspNetCore;

/// <summary>The rules for abandoned claims, as the core applies them to a retry.</summary>
internal static class AbandonedRules
{
    public static NextAttempt Next(IdempotencyRecordView record, AbandonedBehavior? policy) =>
        record.EffectsStarted ? NextAttempt.Rejected // whatever the policy says
        : record.Steps.Count > 0 ? NextAttempt.Resumes
        : policy switch
        {
            AbandonedBehavior.TakeOver => NextAttempt.RunsAgain,
            AbandonedBehavior.Refuse => NextAttempt.Rejected,
            _ => NextAttempt.ByPolicy,
        };

    public static string NameOf(NextAttempt next) => next switch
    {
        NextAttempt.RunsAgain => "runs-again",
        NextAttempt.Resumes => "resumes",
        NextAttempt.Rejected => "rejected",
        _ => "by-policy",
    };
}
