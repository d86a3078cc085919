namespace Idempotency.AspNetCore.Simulation;

/// <summary>The simulation finds bugs: each of these, put into the core or its store on purpose, within a fixed number of worlds.</summary>
public sealed class DeliberateFaultTests(ITestOutputHelper output) : IDisposable
{
    // The seeds of a run without deliberate faults: fixed, so that a fault that is found today is found tomorrow.
    private const ulong FirstSeed = 1;
    private const int MostWorlds = 1500;

    /// <summary>The faults of CoreFaults.txt, and the promise that each breaks; or the two, where it depends on what comes first.</summary>
    public static TheoryData<string, string> CoreFaults => new()
    {
        { "A waiter is never called", "Liveness" },
        { "A ticket is never given back", "Liveness" },
        { "409 is told before 422", "Responses" },
        { "An abandoned claim is taken over whatever the policy says", "G4" },
        { "The cache is filled after an operator's delete", "Operators" },
        { "The cache outlives the retention", "Retention or Responses" },
        { "The lease counts from the reply", "G3" },
        { "A takeover is not counted", "Liveness" },
        { "A failed run keeps its claim", "Liveness" },
        { "A late finisher tells its own response", "G2 or Retention" },
        { "The cache keeps a response from its confirmation", "Retention or Responses" },
        { "Claims are not renewed", "G4" },
        { "A response streams before it is recorded", "G2" },
        { "A disconnect cancels the handler", "G5" },
        { "All users share one partition", "G6" },
        { "A damaged record is replayed", "G2" },
        { "A step is recorded after it is told", "G8" },
        { "Recorded steps are lost on takeover", "G8" },
        { "A step runs although it is recorded", "G8" },
        { "The start of a step that must not run twice is not recorded", "G8" },
        { "A step begins without a look at its claim", "G3" },
        { "Steps that are saved later have the same version", "G8" },
        { "Only the last step is saved", "G8" },
        { "A claim is released while its steps run", "G1 or G3" },
        { "All callers of functions share one partition", "G6" },
    };

    public static TheoryData<StoreFault, string> StoreFaults => new()
    {
        { StoreFault.CompletesForAnybody, "G3" },
        { StoreFault.ReleasesForAnybody, "G3" },
        { StoreFault.RenewsForAnybody, "G3" },
        { StoreFault.RenewalChangesNothing, "G3 or G4" },
        { StoreFault.TakesOverLiveClaims, "G4" },
        { StoreFault.ForgetsTheMark, "G4" },
        { StoreFault.FreshClaimTakesAbandoned, "G4" },
        { StoreFault.LooksBeforeItWrites, "G4" },
        { StoreFault.RetentionCountsFromClaim, "G1" },
        { StoreFault.RetentionTakesLiveClaims, "G4" },
        { StoreFault.LosesWhatItConfirmed, "G1" },
        { StoreFault.SavesStepsForAnybody, "G3" },
        { StoreFault.SavesOlderSteps, "G8" },
        { StoreFault.LosesStepsOnTakeover, "G8" },
        { StoreFault.LosesStepsOnRelease, "G4 or G8" },
        { StoreFault.HandsOverStepsOfAnother, "G8" },
    };

    [Theory]
    [MemberData(nameof(CoreFaults))]
    public void A_fault_in_the_core_is_found(string name, string promise)
    {
        CoreFault.Current = name;
        AssertIsFound(promise, WorldPlan.Of);
    }

    [Theory]
    [MemberData(nameof(StoreFaults))]
    public void A_fault_in_the_store_is_found(StoreFault fault, string promise) => AssertIsFound(promise, seed => WorldPlan.Of(seed) with { FaultyStore = time => new FaultyStore(time, fault) });

    [Fact]
    public void A_release_after_the_completion_is_found()
    {
        CoreFault.Current = "A completed claim is released";
        AssertIsFound("G3", static seed => WorldPlan.Of(seed) with { FaultyStore = static time => new FaultyStore(time, StoreFault.ReleasesCompleted) });
    }

    // It takes claims that are released with steps, again and again, and an operator or a late reply in between: in worlds that are full of steps.
    [Fact]
    public void A_takeover_of_what_only_has_the_same_owner_is_found() =>
        AssertIsFound("G4", static seed => WorldPlan.Of(seed) with { Steps = 900_000, FaultyStore = static time => new FaultyStore(time, StoreFault.ComparesOwnersAlone) });

    [Theory]
    [InlineData(StoreFault.CompletesForAnybody, "takeover and late complete")]
    [InlineData(StoreFault.ReleasesForAnybody, "takeover and late release")]
    [InlineData(StoreFault.RenewsForAnybody, "takeover and late complete")]
    [InlineData(StoreFault.TakesOverLiveClaims, "claim and claim")]
    [InlineData(StoreFault.LooksBeforeItWrites, "claim and claim")]
    [InlineData(StoreFault.ForgetsTheMark, "mark and takeover")]
    [InlineData(StoreFault.SavesStepsForAnybody, "step and takeover")]
    [InlineData(StoreFault.LosesStepsOnTakeover, "step and takeover")]
    [InlineData(StoreFault.LosesStepsOnRelease, "release with a step and claim")]
    public void A_fault_in_the_store_is_found_in_a_small_world(StoreFault fault, string name)
    {
        var small = SmallWorldCatalog.All.Single(world => world.Name == name) with { FaultyStore = time => new FaultyStore(time, fault) };
        var (histories, failed) = small.Explore();
        Assert.NotNull(failed);
        output.WriteLine($"in history {histories}: {failed.Violation}");
    }

    [Fact]
    public void Without_a_deliberate_fault_nothing_is_found_in_the_same_worlds()
    {
        var (totals, failed) = Simulator.RunMany(FirstSeed, TimeSpan.MaxValue, most: 200);
        Assert.True(failed is null, failed is null ? "" : Simulator.Describe(failed));
        Assert.Equal(200, totals.Worlds);
    }

    [Fact]
    public void A_violation_is_shown_with_its_seed_and_a_history_without_the_faults_that_do_not_matter()
    {
        CoreFault.Current = "409 is told before 422";
        var (_, failed) = Simulator.RunMany(FirstSeed, TimeSpan.MaxValue, most: MostWorlds);
        Assert.NotNull(failed);
        var shortest = Simulator.Shrink(failed.Plan);
        Assert.Equal(failed.Violation!.Promise, shortest.Violation!.Promise);
        Assert.InRange(shortest.Faults.Count, 0, 3); // it needs few, if any
        Assert.InRange(shortest.Plan.Operations!.Count, 1, 8); // of a hundred
        var text = Simulator.Describe(failed);
        Assert.Contains($"Responses violated, seed {failed.Plan.Seed}", text, StringComparison.Ordinal);
        Assert.Contains("--seed", text, StringComparison.Ordinal);
        Assert.Contains("idempotency-request-in-progress", text, StringComparison.Ordinal);
    }

    public void Dispose() => CoreFault.Current = null;

    private void AssertIsFound(string promise, Func<ulong, WorldPlan> planOf)
    {
        var (totals, failed) = Simulator.RunMany(FirstSeed, TimeSpan.MaxValue, planOf, most: MostWorlds);
        Assert.True(failed is not null, $"Not found in {totals}. Make the worlds harsher.");
        output.WriteLine($"found in world {totals.Worlds}, after {totals.Operations} operations: {failed.Violation}");
        Assert.Contains(failed.Violation!.Promise, promise.Split(" or "));
    }
}
