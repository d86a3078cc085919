namespace Idempotency.AspNetCore.StoreConformance.Tests;

/// <summary>A mistake that a store's author could make.</summary>
public enum Fault
{
    None,
    ClaimsInTwoSteps,
    TakesALiveClaim,
    TakesOverWithoutItsOwner,
    TakesOverAMarkedClaim,
    TakesOverAnotherRequest,
    TakesOverALaterAttempt,
    ForgetsAnAbandonedClaim,
    ForgetsALiveClaim,
    KeepsCompletedRecords,
    CompletesForAnyone,
    CompletesTwice,
    RenewsForAnyone,
    RenewsNothing,
    ReleasesForAnyone,
    ReleasesCompleted,
    LosesStepsAtATakeover,
    LosesStepsAtARelease,
    SavesOldSteps,
    LosesTheMark,
    LosesTheFingerprint,
    CutsPayloads,
    MixesKeys,
    IgnoresCancellation,
}
