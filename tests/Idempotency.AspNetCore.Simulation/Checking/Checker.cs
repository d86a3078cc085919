using System.Collections.ObjectModel;
using System.Globalization;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>Knows what is promised, sees all that happens, and says where the two differ. It knows nothing of how the library works.</summary>
/// <remarks>
/// G1 to G8 are the promises, by number. Beside them: "Responses" (the response that a state of the key calls for), "Retention" (kept as long as promised and no longer), "Operators"
/// (a deleted record is not replayed by the server that deleted it), "Contract" (what the store's interface says), and "Liveness" (everything ends, and leaves nothing behind).
/// What no promise covers excuses: a claim whose lease was over in the store, a record that an operator deleted, a response that says it was not recorded.
/// </remarks>
internal sealed class Checker(World world)
{
    // What a clock within the documented drift may be off by, of a lease or a retention.
    private const int Tolerance = 1000;

    private readonly Dictionary<StoreKey, KeyHistory> _keys = [];
    private readonly Dictionary<(int User, int Key, bool IsCall), StoreKey> _storeKeys = [];
    private readonly Dictionary<Guid, Tenure> _tenures = [];
    private int _runs;
    private int _works;

    /// <summary>The first promise that was not kept; null while all are.</summary>
    public Violation? Violation { get; private set; }

    public IReadOnlyCollection<KeyHistory> Keys => _keys.Values;

    public int Runs => _runs;

    private long Now => world.Scheduler.Now;

    private IdempotencyPolicy Policy => world.Plan.Policy;

    public string NameOf(StoreKey key) => _keys.TryGetValue(key, out var history) ? history.ToString() : "a key";

    public string NameOf(Guid owner) => owner == default ? "" : _tenures.TryGetValue(owner, out var tenure) ? $"for {tenure}" : "for a new owner";

    public void Fail(string promise, string what, string? key = null) => Violation ??= new Violation(promise, Now, what, key);

    public KeyHistory? HistoryOf(StoreKey key) => _keys.GetValueOrDefault(key);

    // What the store does.

    public void Claimed(StoreCall call, in IdempotencyClaim claim, in ClaimResult result)
    {
        var key = HistoryOf(call);
        if (key is null)
        {
            return;
        }

        if (call.Exchange is { } asking)
        {
            world.LearnFingerprint(asking.Plan, claim.Fingerprint);
        }

        var current = Touch(key);
        if (!result.IsAcquired)
        {
            return;
        }

        if (current is not null && !current.IsGone(Now))
        {
            if (current.End == TenureEnd.Completed)
            {
                Fail("G1", $"{call.Server} got a claim of {key}, whose response of {current} is recorded and retained for another {Span(current.GoneAt - Now)}", key.Name);
            }
            else if (current.IsInProgress && Now < current.LeaseUntil)
            {
                Fail("G4", $"{call.Server} got a claim of {key} while {current}'s claim was alive for another {Span(current.LeaseUntil - Now)}", key.Name);
            }
            else if (current.IsInProgress && current.IsMarked)
            {
                Fail("G4", $"{call.Server} took over {key} from {current}, whose effects had started", key.Name);
            }
            else if (current is { IsInProgress: true, StepsVersion: 0 } && Policy.WhenAbandoned == AbandonedBehavior.Refuse && claim.Owner != current.Owner)
            {
                Fail("G4", $"{call.Server} took over {key} from {current}, and the policy says to refuse", key.Name);
            }
            else if (claim.Fingerprint != current.Fingerprint)
            {
                Fail("G4", $"{call.Server} took over {key} from {current}, which is another request", key.Name);
            }
            else if (claim.Attempt != current.Attempt + 1)
            {
                Fail("G4", $"{call.Server} took over {key} from {current} as attempt {claim.Attempt}, and not {current.Attempt + 1}", key.Name);
            }

            current.End = TenureEnd.Superseded;
            current.EndedAt = Now;
        }
        else
        {
            current = null;
        }

        if (current is null && claim.Attempt != 1 && claim.Supersedes is not null)
        {
            Fail("G4", $"{call.Server} took over {key}, which nobody had", key.Name);
        }

        if (!_tenures.TryGetValue(claim.Owner, out var tenure))
        {
            tenure = new Tenure($"{call.Server.Name}'s claim {_tenures.Count + 1}", claim.Owner, key, call.Server, claim.Fingerprint, claim.Attempt, Now);
            _tenures.Add(claim.Owner, tenure);
            key.Tenures.Add(tenure);
        }
        else
        {
            tenure.WasClaimedAgain = true;
            tenure.ForgottenBy = null;
            tenure.IsMarked = false; // the mark went with the record that somebody deleted
            tenure.Attempt = claim.Attempt;
        }

        // By the contract they stay with the record, whatever the store has made of them.
        tenure.Predecessor = tenure.WasClaimedAgain ? null : current;
        tenure.Recorded = current?.Recorded ?? ReadOnlyDictionary<string, int>.Empty;
        tenure.StepsVersion = current?.StepsVersion ?? 0;

        tenure.End = TenureEnd.None;
        tenure.EndedAt = long.MaxValue;
        tenure.LeaseUntil = MonotonicTime.After(Now, claim.Lease);
        tenure.GoneAt = MonotonicTime.After(tenure.LeaseUntil, claim.Retention);
        key.Current = tenure;
        if (call.Exchange is { } exchange && exchange.Tenure != tenure)
        {
            exchange.Tenure = tenure;
        }

        world.Timeline.Add(key.Name, tenure, static tenure => $"  {tenure} has {tenure.Key}, attempt {tenure.Attempt}");
    }

    public void Renewed(StoreCall call, TimeSpan lease, TimeSpan retention, bool done)
    {
        if (Owned(call, done) is { } tenure)
        {
            tenure.LeaseUntil = MonotonicTime.After(Now, lease);
            tenure.GoneAt = MonotonicTime.After(tenure.LeaseUntil, retention);
            tenure.IsMarked |= call.Operation == StoreOperation.Mark;
            tenure.HasLapsed |= lease == TimeSpan.Zero;
        }
    }

    public void StepsSaved(StoreCall call, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, bool done)
    {
        if (Owned(call, done) is not { } tenure || steps.Version <= tenure.StepsVersion) // an older version changes nothing
        {
            return;
        }

        tenure.LeaseUntil = MonotonicTime.After(Now, lease);
        tenure.GoneAt = MonotonicTime.After(tenure.LeaseUntil, retention);
        tenure.IsMarked = steps.EffectsStarted;
        tenure.StepsVersion = steps.Version;
        if (StepLog.Decode(steps.Data, out _, out var reason) is not { } saved)
        {
            Fail("G8", $"{tenure} saved steps that nobody can read: {reason}", tenure.Key.Name);
            return;
        }

        var before = tenure.Recorded;
        tenure.Recorded = saved.Where(static step => step.State == StepState.Recorded).ToDictionary(static step => step.Name, static step => int.Parse(StoredResult.Decode(step.Result, out _)!.Json.Span, CultureInfo.InvariantCulture));
        tenure.Key.RecordedResults.UnionWith(tenure.Recorded.Values);
        world.Timeline.Add(tenure.Key.Name, tenure, static tenure => $"  {tenure.Key} has the steps {string.Join(", ", tenure.Recorded.Select(static step => $"'{step.Key}' (work {step.Value})"))}{(tenure.IsMarked ? ", and is marked" : "")}");
        foreach (var (name, result) in before)
        {
            if (!tenure.Recorded.TryGetValue(name, out var now) || now != result)
            {
                Fail("G8", $"{tenure} took back the step '{name}' of {tenure.Key}, which was recorded", tenure.Key.Name);
            }
        }

        // Not of a record that somebody deleted and its owner claimed again to complete it: the only saves that still arrive are old ones, and a delete allows another run in any case.
        if (!steps.EffectsStarted && !tenure.WasClaimedAgain && tenure.Run is { } run && (run.HasMarked || UnknownStep(tenure) is not null))
        {
            Fail("G4", $"{tenure} removed the mark of {tenure.Key} after its effects had started", tenure.Key.Name);
        }
    }

    public void Completed(StoreCall call, TimeSpan retention, bool done)
    {
        if (Owned(call, done) is { } tenure)
        {
            tenure.End = TenureEnd.Completed;
            tenure.WasCompleted = true;
            tenure.EndedAt = Now;
            tenure.IsMarked = false;
            tenure.GoneAt = MonotonicTime.After(Now, Policy.Retention);
            if (retention != Policy.Retention)
            {
                Fail("Retention", $"{tenure} completed {tenure.Key} with a retention of {retention}", tenure.Key.Name);
            }

            world.Timeline.Add(tenure.Key.Name, tenure, static tenure => $"  {tenure.Key} is completed by {tenure}{(tenure.Run is { } run ? $" with {run}" : "")}");
        }
    }

    public void Released(StoreCall call, bool done)
    {
        if (Owned(call, done) is { } tenure)
        {
            tenure.End = TenureEnd.Released;
            tenure.EndedAt = Now;
            world.Timeline.Add(tenure.Key.Name, tenure, static tenure => $"  {tenure.Key} is free again");
            if (tenure.IsMarked && tenure.Run is { HasMarked: true })
            {
                Fail("G4", $"{tenure} released {tenure.Key} after its effects had started", tenure.Key.Name);
            }

            if (UnknownStep(tenure) is { } step && !tenure.WasClaimedAgain)
            {
                Fail("G8", $"{tenure} released {tenure.Key}, and the outcome of {step} is not known", tenure.Key.Name);
            }

            tenure.IsMarked = false; // the store takes the mark with the owner
            if (tenure.Run is { IsComplete: true } run && !tenure.IsExcuse)
            {
                Fail("G1", $"{tenure} released {tenure.Key} after {run} had run to completion", tenure.Key.Name);
            }
        }
    }

    public void Deleted(StoreCall call, bool done)
    {
        if (_keys.TryGetValue(call.Key, out var key) && Touch(key) is { } current)
        {
            current.WasDeleted |= done;
            if (done && (current.End is TenureEnd.None or TenureEnd.Completed || current.IsLeftWithSteps))
            {
                current.End = TenureEnd.Deleted;
                current.EndedAt = Now;
            }
        }
    }

    /// <summary>An operator was told by a server that a record is gone there.</summary>
    public void Forgotten(Server server, StoreKey storeKey)
    {
        world.Timeline.Add(HistoryOf(storeKey)?.Name, (server, key: NameOf(storeKey)), static forgotten => $"{forgotten.server} has forgotten {forgotten.key}");
        if (_keys.TryGetValue(storeKey, out var key))
        {
            foreach (var tenure in key.Tenures)
            {
                if (tenure.End == TenureEnd.Deleted)
                {
                    (tenure.ForgottenBy ??= []).TryAdd(server, Now);
                }
            }
        }
    }

    // What handlers do.

    public HandlerRun Started(Exchange exchange, IIdempotentRun? feature)
    {
        var tenure = exchange.Tenure;
        var isUnprotected = feature is UnclaimedRun;
        var run = new HandlerRun(++_runs, exchange, isUnprotected ? null : tenure, world.PlanRun(exchange, _runs)) { StartedAt = Now };
        exchange.Run = run;
        world.Scheduler.Note(run.Number);
        world.Timeline.Add(exchange.KeyName, run, static run => $"{run} starts for {run.Exchange}{(run.Tenure is null ? ", unprotected" : $" under {run.Tenure}")}");
        if (isUnprotected)
        {
            if (Policy.WhenStoreUnavailable != StoreUnavailableBehavior.Execute || !IsDisturbed(exchange))
            {
                Fail("G7", $"{run} runs unprotected", exchange.KeyName);
            }

            return run;
        }

        if (tenure is null || feature is null)
        {
            Fail("G1", $"{run} runs without a claim", exchange.KeyName);
            return run;
        }

        var key = tenure.Key;
        Touch(key);
        key.Runs.Add(run);
        tenure.Run = run;
        if (feature.Attempt != tenure.Attempt || feature.TookOver != tenure.Attempt > 1)
        {
            Fail("G4", $"{run} is told that it is attempt {feature.Attempt}, and its claim is attempt {tenure.Attempt}", exchange.KeyName);
        }

        if (key.User != exchange.Plan.User || key.Key != exchange.Plan.Key || key.IsCall != exchange.Plan.IsCall)
        {
            Fail("G6", $"{run} runs for user {exchange.Plan.User} under {key}", exchange.KeyName);
        }

        if (IsInDoubt(run, tenure))
        {
            Fail("G3", $"{run} starts on {tenure}, which has {(tenure.IsInProgress ? "lapsed" : $"ended ({tenure.End})")}", exchange.KeyName);
        }

        foreach (var other in key.Runs)
        {
            if (other != run && !tenure.IsExcuse && other.Tenure is { IsExcuse: false } && other.Tenure != tenure && !(other.Tenure.WasCompleted && other.Tenure.GoneAt <= tenure.ClaimedAt) && other.IsRunning)
            {
                Fail("G1", $"{run} starts while {other} is running for {key}", exchange.KeyName);
            }
        }

        CheckOneEffect(run);
        return run;
    }

    /// <summary>The work of a step starts.</summary>
    public StepWork StepStarted(HandlerRun run, StepPlan step)
    {
        var work = new StepWork(++_works, run, step.Name, step.IsOnce(Policy));
        run.Works.Add(work);
        world.Scheduler.Note(work.Number);
        world.Timeline.Add(run.Exchange.KeyName, work, static work => $"{work} starts");
        if (run.Tenure is not { } tenure)
        {
            return work;
        }

        Touch(tenure.Key);
        if (tenure.Recorded.TryGetValue(step.Name, out var recorded))
        {
            Fail("G8", $"{work} runs again: work {recorded} is recorded", tenure.Key.Name);
        }

        // A mark holds the claim when its lease is over.
        if (!(tenure is { IsMarked: true, IsInProgress: true }) && IsInDoubt(run, tenure))
        {
            Fail("G3", $"{work} starts on {tenure}, which has {(tenure.IsInProgress ? "lapsed" : $"ended ({tenure.End})")}", tenure.Key.Name);
        }

        for (var earlier = tenure.Predecessor; work.IsOnce && earlier is { WasDeleted: false, WasClaimedAgain: false }; earlier = earlier.Predecessor)
        {
            if (earlier.Run?.Works.Find(other => other.Name == work.Name && other.IsOnce) is { } first)
            {
                Fail("G8", $"{work} starts and must not run twice: {first} ran before", tenure.Key.Name);
            }
        }

        return work;
    }

    public void StepEnded(StepWork work)
    {
        work.HasEnded = true;
        world.Timeline.Add(work.Run.Exchange.KeyName, work, static work => $"{work} ends");
    }

    /// <summary>A handler has the result of a step: of its own work, or of an earlier attempt's.</summary>
    public void StepTold(HandlerRun run, StepPlan step, int result)
    {
        var work = run.Works.Find(work => work.Name == step.Name);
        world.Timeline.Add(run.Exchange.KeyName, (run, step, result, work), static told => $"{told.run} {(told.work is null ? "recalls" : "has")} the result of work {told.result} for the step '{told.step.Name}'");
        if (work is not null)
        {
            work.WasTold = true;
            if (result != work.Number)
            {
                Fail("G8", $"{run} got the result of work {result} from {work}", run.Exchange.KeyName);
            }
            else if (run.Tenure is { WasCompleted: false } tenure && !tenure.Key.RecordedResults.Contains(result))
            {
                Fail("G8", $"{run} has the result of {work}, which is not recorded", run.Exchange.KeyName);
            }
        }
        else if (run.Tenure is not { } owner || !owner.Recorded.TryGetValue(step.Name, out var recorded) || recorded != result)
        {
            Fail("G8", $"{run} recalled the result of work {result} for the step '{step.Name}', and that is not recorded for it", run.Exchange.KeyName);
        }
    }

    public void HadEffect(HandlerRun run) => world.Timeline.Add(run.Exchange.KeyName, run, static run => $"{run} has its effect");

    public void SawToken(HandlerRun run, bool isCancelled)
    {
        if (isCancelled && Policy.CompleteAfterDisconnect && run.Tenure is not null)
        {
            Fail("G5", $"{run} was cancelled because its client left", run.Exchange.KeyName);
        }
    }

    /// <summary>A handler has returned; with no status it cut the connection.</summary>
    public void Ended(HandlerRun run, int? status)
    {
        run.HasEnded = true;
        run.Status = status;
        world.Timeline.Add(run.Exchange.KeyName, run, static run => $"{run} ends with {(run.Status is { } status ? $"{status}" : "nothing")}");
        if (run.Tenure is { } tenure)
        {
            Touch(tenure.Key);
        }

        CheckOneEffect(run);
    }

    public void Failed(HandlerRun run, Exception exception)
    {
        run.HasEnded = true;
        world.Timeline.Add(run.Exchange.KeyName, (run, exception), static failed => $"{failed.run} throws {failed.exception.GetType().Name}");
    }

    public void Crashed(Server server)
    {
        foreach (var key in _keys.Values)
        {
            Touch(key);
        }
    }

    // What clients see.

    /// <summary>A pipeline has thrown.</summary>
    public void Threw(Exchange exchange, Exception exception)
    {
        world.Timeline.Add(exchange.KeyName, (exchange, exception), static failed => $"{failed.exchange} on {failed.exchange.Server} ends in {failed.exception.GetType().Name}: {failed.exception.Message}");
        var isExpected = exception is ApplicationFailure or IdempotencyClaimLostException or IdempotencyStoreUnavailableException or OperationCanceledException;
        if (exchange.Run is null || !isExpected)
        {
            if (!exchange.IsAbandoned || (exception is not OperationCanceledException && !IsDisturbed(exchange))) // to nobody: its client had left
            {
                Fail("Responses", $"{exchange} ended in an exception: {exception}", exchange.KeyName);
            }
        }
        else if (exception is OperationCanceledException && !exchange.Run.Plan.HeedsLoss)
        {
            Fail("Responses", $"{exchange} was cancelled: {exception}", exchange.KeyName);
        }
    }

    /// <summary>The first byte of a response goes out.</summary>
    public void Told(Exchange exchange)
    {
        var isReplay = exchange.Headers.ContainsKey(IdempotencyHeaders.Replayed);
        if (exchange.Run is not { Body: not null } run || isReplay || exchange.StatusCode != StatusOf(run) || !IdempotencyPolicy.IsStoredByDefault(exchange.StatusCode) || exchange.Headers.ContentType == "application/problem+json")
        {
            return;
        }

        if (exchange.Headers.ContainsKey(IdempotencyHeaders.Stored))
        {
            run.WasToldUnstored = true;
            if (!IsDisturbed(exchange) && run.Tenure is { IsExcuse: false })
            {
                Fail("G2", $"{exchange} is told that {run} is not recorded, and the store was there", exchange.KeyName);
            }
        }
        else if (run.Tenure is { WasCompleted: false })
        {
            Fail("G2", $"{exchange} sees the response of {run}, which is not recorded", exchange.KeyName);
        }
    }

    /// <summary>A function has returned: the result of its own run, or a recorded one. It does not say which, nor whether it is recorded.</summary>
    public Answer Returned(Exchange exchange, string result)
    {
        var answer = new Answer { Kind = AnswerKind.Response, Status = 201, Body = result };
        if (exchange.Run is { Body: { } own } run && own == result)
        {
            if (run.Tenure is { WasCompleted: false } tenure)
            {
                run.WasToldUnstored = true;
                if (!IsDisturbed(exchange) && !tenure.IsExcuse)
                {
                    Fail("G2", $"{exchange} has the result of {run}, which is not recorded, and the store was there", exchange.KeyName);
                }
            }

            return answer;
        }

        var recorded = KeyOf(exchange)?.Runs.Find(run => run.Number == answer.Run);
        return answer with { IsReplay = true, IsMarkedUnstored = recorded?.Tenure is { WasCompleted: false } };
    }

    /// <summary>A response has gone out to its end.</summary>
    public void Answered(Exchange exchange, Answer answer)
    {
        world.Scheduler.Note(answer.Status);
        world.Timeline.Add(exchange.KeyName, (exchange, answer), static told => $"{told.exchange.Server} answers {told.exchange}: {told.answer}");
        var key = KeyOf(exchange);
        if (key is not null)
        {
            Touch(key);
        }

        if (answer.User is { } user && user != exchange.Plan.User)
        {
            Fail("G6", $"{exchange} got the response of user {user}", exchange.KeyName);
        }
        else if (answer.IsReplay)
        {
            CheckReplay(exchange, answer, key);
        }
        else if (answer.Code is { } code)
        {
            CheckProblem(exchange, code, key);
        }
        else if (exchange.Run is not { } run)
        {
            Fail("Responses", $"{exchange} got {answer} without a run and without a record", exchange.KeyName);
        }
        else if (answer.Run is { } told && told != run.Number)
        {
            Fail("Responses", $"{exchange} got the response of run {told}, unmarked, and its own is {run}", exchange.KeyName);
        }
    }

    /// <summary>Nothing happens any more.</summary>
    public void CheckEnd()
    {
        foreach (var key in _keys.Values)
        {
            Touch(key);
            foreach (var run in key.Runs)
            {
                var tenure = run.Tenure!;
                if (run.IsRunning)
                {
                    Fail("Liveness", $"{run} never ended", key.Name);
                }
                else if (run.IsComplete && !tenure.WasCompleted && !tenure.IsExcuse && !run.WasToldUnstored && !run.Exchange.Server!.Process.IsDead)
                {
                    Fail(run.Exchange.IsAbandoned ? "G5" : "G2", $"{run} ran to completion and was never recorded", key.Name);
                }
            }
        }
    }

    private static int StatusOf(HandlerRun run) => run.Plan.Kind switch { HandlerKind.Declines => 402, HandlerKind.PutsOff => 429, HandlerKind.Fails => 500, _ => 201 };

    private static string Span(long ticks) => $"{TimeSpan.FromTicks(ticks).TotalSeconds:0.000} s";

    private void CheckReplay(Exchange exchange, Answer answer, KeyHistory? key)
    {
        var run = key?.Runs.Find(run => run.Number == answer.Run);
        if (run?.Tenure is not { } tenure || (!tenure.WasCompleted && !answer.IsMarkedUnstored))
        {
            Fail("G2", $"{exchange} got a replay of run {answer.Run}, which is not recorded under its key", exchange.KeyName);
        }
        else if (tenure.Fingerprint != FingerprintOf(exchange))
        {
            Fail("Responses", $"{exchange} got a replay of {run}, which was another request", exchange.KeyName);
        }
        else if (answer.Status != run.Status || !IsSameBody(run, answer))
        {
            Fail("G2", $"{exchange} got a replay of {run} that differs from its response: {answer.Status} {answer.Body}", exchange.KeyName);
        }
        else if (tenure.WasCompleted && tenure.End == TenureEnd.Completed && exchange.ArrivedAt > tenure.GoneAt + (Policy.Retention.Ticks / Tolerance))
        {
            Fail("Retention", $"{exchange} got a replay of {run}, whose retention was over for {Span(exchange.ArrivedAt - tenure.GoneAt)} when it came", exchange.KeyName);
        }
        else if (tenure is { End: TenureEnd.Deleted, ForgottenBy: { } forgotten } && forgotten.TryGetValue(exchange.Server!, out var at) && exchange.ArrivedAt > at)
        {
            Fail("Operators", $"{exchange} got a replay of {run}, which {exchange.Server} had forgotten", exchange.KeyName);
        }
        else if (answer.IsMarkedUnstored && !run.Exchange.IsDisturbed && !IsDisturbed(run.Exchange) && !tenure.IsExcuse)
        {
            Fail("G2", $"{exchange} is told that {run} is not recorded, and the store was there", exchange.KeyName);
        }
        else if (exchange is { Run: null, HasSlowBody: false } && Policy.WhenInProgress == InProgressBehavior.Wait && exchange.Server == tenure.Server && tenure.WasCompleted && IsCalmSince(Math.Min(exchange.ArrivedAt, tenure.ClaimedAt))
            && Now - Math.Max(exchange.ArrivedAt, tenure.EndedAt) > TimeSpan.FromMilliseconds(40).Ticks)
        {
            Fail("Liveness", $"{exchange} waited on {run}'s own server, and got its response {Span(Now - Math.Max(exchange.ArrivedAt, tenure.EndedAt))} after it was recorded", exchange.KeyName);
        }
    }

    private void CheckProblem(Exchange exchange, string code, KeyHistory? key)
    {
        var fingerprint = FingerprintOf(exchange);
        // What was there at any time since the request came. What one server deletes another may have in its cache.
        var seen = key?.Tenures.FindAll(tenure => tenure.ClaimedAt <= Now
            && (tenure.WasDeleted || tenure.ThereUntil + (Policy.Retention.Ticks / Tolerance) >= exchange.ArrivedAt)) ?? [];
        var own = exchange.Run;
        var isExplained = code switch
        {
            "idempotency-key-reused" => seen.Exists(tenure => tenure.Fingerprint != fingerprint),
            "idempotency-request-in-progress" => seen.Exists(tenure => tenure.Fingerprint == fingerprint && (tenure != own?.Tenure || tenure.IsExcuse)),
            "idempotency-claim-lost" => own?.Tenure is { } lost && (lost.IsExcuse || !lost.IsInProgress),
            "idempotency-outcome-unknown" => own is { IsOutcomeUnknown: true }
                || seen.Exists(tenure => tenure.Fingerprint == fingerprint && tenure.HasLapsed && (Policy.WhenAbandoned == AbandonedBehavior.Refuse || tenure.WasMarked || tenure.End != TenureEnd.None)),
            "idempotency-response-unavailable" => seen.Exists(static tenure => tenure.Run is { IsBodyLost: true } && (tenure.WasCompleted || tenure.IsInProgress || tenure.IsExcuse)),
            "idempotency-store-unavailable" => IsDisturbed(exchange),
            _ => false,
        };
        if (!isExplained)
        {
            Fail(code == "idempotency-store-unavailable" ? "G7" : "Responses", $"{exchange} got {code}, and nothing that was there calls for it", exchange.KeyName);
        }
    }

    /// <summary>G1: of all runs that ran to completion for a request, none but the first in the life of its record, unless its claim had lapsed or an operator had intervened.</summary>
    private void CheckOneEffect(HandlerRun run)
    {
        if (run.Tenure is not { IsExcuse: false } tenure)
        {
            return;
        }

        foreach (var other in tenure.Key.Runs)
        {
            if (other == run || !other.IsComplete || other.Tenure is not { IsExcuse: false } others)
            {
                continue;
            }

            var (earlier, later) = others.ClaimedAt <= tenure.ClaimedAt ? (others, tenure) : (tenure, others);
            if (earlier == later || later.ClaimedAt < earlier.GoneAt)
            {
                Fail("G1", $"{run} {(run.HasEnded ? "ran to completion" : "starts")} for {tenure.Key}, for which {other} had run to completion", tenure.Key.Name);
            }
        }
    }

    private static bool IsSameBody(HandlerRun run, Answer answer) => answer.Body.Replace(",\"serverCacheHit\":true", "", StringComparison.Ordinal) == run.Body;

    /// <summary>The first step of a claim's run that has begun, must not run twice, and is not recorded.</summary>
    private static StepWork? UnknownStep(Tenure tenure) => tenure.Run?.Works.Find(work => work.IsOnce && !tenure.Recorded.ContainsKey(work.Name));

    /// <summary>Whether the store had given a run's claim away, or would any moment, when its last reply came, and nothing has stopped its server since.</summary>
    private bool IsInDoubt(HandlerRun run, Tenure tenure) => !tenure.WasDeleted && run.Exchange.Server!.DisturbedUntil < run.Exchange.LastReplyAt
        && (!tenure.IsInProgress || Now > tenure.LeaseUntil + (Policy.ClaimDuration.Ticks / Tolerance));

    private bool IsDisturbed(Exchange exchange) => exchange.IsDisturbed || exchange.Server!.DisturbedUntil >= exchange.ArrivedAt || exchange.Server.CutOffUntil >= exchange.ArrivedAt;

    private bool IsCalmSince(long moment) => world.Faults.DisturbedUntil + (2 * Policy.ClaimDuration.Ticks) < moment;

    private Fingerprint FingerprintOf(Exchange exchange) => world.FingerprintOf(exchange.Plan);

    /// <summary>The key of a call; null for those of operators, which need not be of any request.</summary>
    private KeyHistory? HistoryOf(StoreCall call)
    {
        if (call.Exchange is not { } exchange)
        {
            return _keys.GetValueOrDefault(call.Key);
        }

        var plan = exchange.Plan;
        if (!_keys.TryGetValue(call.Key, out var key))
        {
            _keys.Add(call.Key, key = new KeyHistory(call.Key, plan));
            if (!_storeKeys.TryAdd((plan.User, plan.Key, plan.IsCall), call.Key))
            {
                Fail("G6", $"{exchange} is stored under another key than the same key of the same user before", exchange.KeyName);
            }
        }
        else if (key.User != plan.User || key.Key != plan.Key || key.IsCall != plan.IsCall)
        {
            Fail("G6", $"{exchange} is stored under the key of user {key.User}, key {key.Key}", exchange.KeyName);
        }

        return key;
    }

    private KeyHistory? KeyOf(Exchange exchange) => _storeKeys.TryGetValue((exchange.Plan.User, exchange.Plan.Key, exchange.Plan.IsCall), out var storeKey) ? _keys[storeKey] : null;

    /// <summary>Notes what time alone has changed.</summary>
    private Tenure? Touch(KeyHistory key)
    {
        if (key.Current is { IsInProgress: true } current && Now >= current.LeaseUntil && !current.HasLapsed)
        {
            current.HasLapsed = true;
            world.Timeline.Add(key.Name, current, static tenure => $"  {tenure} has lapsed, at t={TimeSpan.FromTicks(tenure.LeaseUntil).TotalSeconds:0.0000}s");
            if (current.Run is { HasEnded: false, Exchange.Server.Process.IsDead: false } run && IsCalmSince(current.LeaseUntil - Policy.ClaimDuration.Ticks))
            {
                Fail("G4", $"{current} lapsed while {run} was running, and nothing had gone wrong", key.Name);
            }
        }

        return key.Current;
    }

    /// <summary>Whose claim a call is about; null when it was refused. Only the owner of the record that is there may be told that it was done.</summary>
    private Tenure? Owned(StoreCall call, bool done)
    {
        if (!_tenures.TryGetValue(call.Owner, out var tenure))
        {
            if (done)
            {
                Fail("G3", $"{call.Server} was told that its {call} was done, and its owner has no claim");
            }

            return null;
        }

        var current = Touch(tenure.Key);
        var isOurs = current == tenure && tenure.IsInProgress && Now < tenure.GoneAt;
        if (done != isOurs)
        {
            Fail("G3", done
                ? $"{call.Server} was told that its {call} was done, while {current} has {tenure.Key} ({current?.End})"
                : $"{call.Server} was refused its {call}, and {tenure} has {tenure.Key}",
                tenure.Key.Name);
        }

        return done ? tenure : null;
    }
}
