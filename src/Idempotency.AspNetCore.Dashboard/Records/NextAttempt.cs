namespace Idempotency.AspNetCore;

/// <summary>What the next request with the key of an abandoned claim meets.</summary>
internal enum NextAttempt
{
    /// <summary>It runs the handler again.</summary>
    RunsAgain,

    /// <summary>It continues after the recorded steps.</summary>
    Resumes,

    /// <summary>It is rejected: the outcome is unknown.</summary>
    Rejected,

    /// <summary>One of the first and the last, by the policy of its endpoint, which is not known here.</summary>
    ByPolicy,
}
