namespace Idempotency.AspNetCore.Simulation;

/// <summary>A rule of the store's contract that is broken.</summary>
public enum StoreFault
{
    None,
    CompletesForAnybody,
    ReleasesForAnybody,
    RenewsForAnybody,
    RenewalChangesNothing,
    TakesOverLiveClaims,
    ForgetsTheMark,
    FreshClaimTakesAbandoned,
    LooksBeforeItWrites,
    RetentionCountsFromClaim,
    RetentionTakesLiveClaims,
    LosesWhatItConfirmed,
    ReleasesCompleted,
    SavesStepsForAnybody,
    SavesOlderSteps,
    LosesStepsOnTakeover,
    LosesStepsOnRelease,
    HandsOverStepsOfAnother,
    ComparesOwnersAlone,
}
