using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>Servers, clients and a store on one thread, in simulated time. A seed and its plan make it; the same ones make the same world again.</summary>
internal sealed class World : IDisposable
{
    // Far more than any world has that comes to an end.
    private const int MostEvents = 2_000_000;

    private readonly List<Server> _lives = [];
    private readonly List<Client> _clients = [];
    private readonly InMemoryIdempotencyStore? _inMemory;
    private static readonly string[] StepNames = ["reserve", "charge", "notify"];

    private readonly Dictionary<(bool IsCall, int Payment), Fingerprint> _fingerprints = [];
    private readonly HandlerPlan[]? _script;
    private int _exchanges;

    public World(WorldPlan plan, IChoices choices, Func<World, IFaults> faults, HandlerPlan[]? script = null, bool isTold = false)
    {
        Plan = plan;
        _script = script;
        Scheduler = new Scheduler(choices);
        Timeline = new Timeline(isTold, () => Scheduler.Now);
        Checker = new Checker(this);
        var time = new SimulatedTime(Scheduler, process: null, areTimersBackground: true);
        if (plan.FaultyStore is { } faulty)
        {
            Store = faulty(time);
        }
        else if (plan.IsReferenceStore)
        {
            Store = new ReferenceStore(time);
        }
        else
        {
            _inMemory = new InMemoryIdempotencyStore(Options.Create(new InMemoryIdempotencyStoreOptions()), time);
            Store = new ComparedStore(_inMemory, new ReferenceStore(time), what => Checker.Fail("Contract", what));
        }

        Faults = faults(this);
        var random = new SeededRandom(plan.Seed ^ 0xC10C);
        for (var place = 0; place < plan.Servers; place++)
        {
            Servers.Add(Add(new Server(this, place, 1, random.Between(-plan.Drift, plan.Drift))));
        }

        for (var number = 0; number < plan.Clients; number++)
        {
            _clients.Add(new Client(this, number, random.Next()));
        }
    }

    public WorldPlan Plan { get; }

    public Scheduler Scheduler { get; }

    public Timeline Timeline { get; }

    public Checker Checker { get; }

    public IFaults Faults { get; }

    public IIdempotencyStore Store { get; }

    /// <summary>The servers that are up, or will be again.</summary>
    public List<Server> Servers { get; } = [];

    /// <summary>How many times a server has asked the store for something.</summary>
    public long Operations { get; set; }

    private bool AreFaultsOver => Scheduler.Now >= Plan.FaultsUntil && Plan.FaultsUntil > 0;

    public int NextExchange() => ++_exchanges;

    /// <summary>Lets everything happen, until nothing does.</summary>
    /// <param name="begin">What happens first; null for the clients of the plan.</param>
    /// <returns>The first promise that was not kept; null when all were.</returns>
    public Violation? Run(Action? begin = null)
    {
        var before = SynchronizationContext.Current;
        try
        {
            (begin ?? (() => _clients.ForEach(static client => client.Begin())))();

            // A minute for each client's last request: retries, time-outs of the store, leases, and handlers.
            var workEnds = Math.Max(Plan.FaultsUntil, 4 * Plan.OperationsPerClient * Plan.ThinkTime.Ticks);
            var deadline = workEnds + (40 * Plan.Policy.ClaimDuration.Ticks) + (10 * Plan.OperationsPerClient * TimeSpan.TicksPerMinute);
            while (Checker.Violation is null && !Scheduler.IsQuiet && Scheduler.Events < MostEvents && Scheduler.Step(deadline))
            {
            }

            if (Scheduler.Events >= MostEvents)
            {
                Checker.Fail("Liveness", "it goes round in circles");
            }

            if (Scheduler.Escape is { } escape)
            {
                Checker.Fail("Simulation", $"something ran outside the scheduler:{Environment.NewLine}{escape}");
            }
            else if (Checker.Violation is null)
            {
                CheckEnd();
            }

            return Checker.Violation;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
            Exchange.Current = null;
        }
    }

    public void Restart(Server dead)
    {
        var random = new SeededRandom(Plan.Seed ^ (ulong)((dead.Place * 1000) + dead.Life));
        var drift = random.Between(-Plan.Drift, Plan.Drift);
        Scheduler.PostAfter(
            random.Spread(TimeSpan.FromMilliseconds(1), 2 * Plan.Policy.ClaimDuration),
            null,
            _ =>
            {
                Servers[dead.Place] = Add(new Server(this, dead.Place, dead.Life + 1, drift));
                Timeline.Add(null, Servers[dead.Place], static server => $"{server} is up");
            },
            null);
    }

    /// <summary>Sends a request to a server, and waits for what becomes of it.</summary>
    public Task<Answer> SendAsync(RequestPlan request, ulong seed, int place, Process client, TimeSpan patience)
    {
        var answered = new TaskCompletionSource<Answer>();
        void Answer(Answer answer, TimeSpan delay) => Scheduler.PostAfter(delay, client, _ => answered.TrySetResult(answer), null);
        var hop = Plan.Drift == 0 ? 0 : new SeededRandom(seed).Between(1000, 10_000); // small worlds have exact times, so that things meet
        var sent = new Exchange(this, request, seed, answer => Answer(answer, new TimeSpan(hop)));
        Scheduler.PostAfter(
            new TimeSpan(hop),
            null,
            _ =>
            {
                var server = Servers[place];
                if (server.Process.IsDead)
                {
                    sent.Reset();
                }
                else
                {
                    server.Accept(sent);
                }
            },
            null);
        var impatience = Scheduler.PostAfter(
            patience,
            client,
            _ =>
            {
                if (answered.TrySetResult(new Answer { Kind = AnswerKind.TimedOut }))
                {
                    sent.Leave();
                }
            },
            null);
        return AwaitAsync(answered.Task, impatience);
    }

    public Task PauseAsync(Process process, TimeSpan span)
    {
        var over = new TaskCompletionSource();
        Scheduler.PostAfter(span, process, static over => ((TaskCompletionSource)over!).TrySetResult(), over);
        return over.Task;
    }

    /// <summary>What a run of a handler does.</summary>
    public HandlerPlan PlanRun(Exchange exchange, int number)
    {
        if (_script is not null)
        {
            return _script[Math.Min(number, _script.Length) - 1];
        }

        var plan = DrawRun(exchange);
        if (exchange.Plan.IsCall)
        {
            plan = plan with
            {
                Kind = plan.Kind switch
                {
                    HandlerKind.Declines => HandlerKind.Creates,
                    HandlerKind.PutsOff or HandlerKind.Fails or HandlerKind.Aborts => HandlerKind.Throws,
                    HandlerKind.Streams => HandlerKind.WritesMuch,
                    var kind => kind,
                },
            };
        }

        return Plan.Steps == 0 ? plan : WithSteps(plan, exchange);
    }

    /// <summary>Whether a key is one of functions, and not of requests.</summary>
    public bool IsOfCalls(int key) => Plan.Calls > 0 && new SeededRandom(SeededRandom.Mix(Plan.Seed ^ 0xCA11 ^ ((ulong)key << 20))).Chance(Plan.Calls);

    private HandlerPlan DrawRun(Exchange exchange)
    {
        var random = new SeededRandom(SeededRandom.Mix(exchange.Seed ^ 5));
        var lease = Plan.Policy.ClaimDuration;
        if (!random.Chance(Plan.OddHandlers))
        {
            return new HandlerPlan(HandlerKind.Creates);
        }

        var kind = (HandlerKind)random.Below((int)HandlerKind.Aborts + 1);
        if (AreFaultsOver && kind is HandlerKind.Fails or HandlerKind.Throws or HandlerKind.PutsOff or HandlerKind.Aborts)
        {
            kind = HandlerKind.Creates; // after the faults every client gets its answer
        }

        var before = random.Below(3) == 0 ? random.Spread(TimeSpan.FromMilliseconds(1), 3 * lease) : TimeSpan.Zero;
        var after = random.Below(3) == 0 ? random.Spread(TimeSpan.FromMilliseconds(1), lease) : TimeSpan.Zero;
        return new HandlerPlan(kind, before, after, random.Below(4) == 0);
    }

    private HandlerPlan WithSteps(HandlerPlan plan, Exchange exchange)
    {
        // The request says which there are, so that every attempt has the same; the attempt says how they go.
        var (request, attempt) = (exchange.Plan, new SeededRandom(SeededRandom.Mix(exchange.Seed ^ 11)));
        var same = new SeededRandom(SeededRandom.Mix(Plan.Seed ^ 0x57E95 ^ ((ulong)request.Payment << 40) ^ ((ulong)request.Key << 20) ^ ((ulong)request.User << 4)));
        if (!same.Chance(Plan.Steps))
        {
            return plan;
        }

        var steps = new StepPlan[1 + same.Below(StepNames.Length)];
        var areParallel = same.Below(3) == 0;
        for (var i = 0; i < steps.Length; i++)
        {
            InterruptedStepBehavior? whenInterrupted = same.Below(4) switch { 0 => InterruptedStepBehavior.RunAgain, 1 => InterruptedStepBehavior.Refuse, _ => null };
            var isOptional = same.Below(4) == 0;
            var takes = attempt.Below(3) == 0 ? attempt.Spread(TimeSpan.FromMilliseconds(1), Plan.Policy.ClaimDuration) : TimeSpan.Zero;
            steps[i] = new StepPlan(StepNames[i], whenInterrupted, takes, attempt.Below(8) == 0 && !AreFaultsOver, isOptional);
        }

        if (steps.Length > 1 && attempt.Below(10) == 0)
        {
            steps = steps[1..]; // another version of the handler runs on that server
        }

        return plan with { Steps = steps, AreParallel = areParallel };
    }

    /// <summary>An operator deletes one of the records there are: through a server, or with a tool of its own.</summary>
    public void DeleteRecord(Server server, int choice, bool isElsewhere)
    {
        if (Checker.Keys.Count == 0)
        {
            return;
        }

        var key = Checker.Keys.ElementAt(Math.Max(0, Checker.Keys.Count - 1 - (choice % 4))).StoreKey;
        if (!isElsewhere)
        {
            server.Delete(key);
            return;
        }

        Timeline.Add(Checker.HistoryOf(key)?.Name, Checker.NameOf(key), static name => $"an operator deletes {name} in the store");
        Checker.Deleted(new StoreCall(StoreOperation.Delete, key, default, server, null, Scheduler.Now), Store.DeleteAsync(key, CancellationToken.None).Reply());
    }

    /// <summary>The fingerprint that the library gives a request; its own business, but for which are equal.</summary>
    public Fingerprint FingerprintOf(RequestPlan plan) => _fingerprints.GetValueOrDefault((plan.IsCall, plan.Payment));

    public void LearnFingerprint(RequestPlan plan, Fingerprint fingerprint)
    {
        if (!_fingerprints.TryAdd((plan.IsCall, plan.Payment), fingerprint) && FingerprintOf(plan) != fingerprint)
        {
            Checker.Fail("Responses", $"the request {plan} has another fingerprint than the same request before");
        }
    }

    public void Dispose()
    {
        SynchronizationContext.SetSynchronizationContext(null);
        foreach (var server in _lives)
        {
            server.Dispose();
        }

        _inMemory?.Dispose();
    }

    private static async Task<Answer> AwaitAsync(Task<Answer> answered, Scheduler.Later impatience)
    {
        var answer = await answered;
        impatience.Cancel();
        return answer;
    }

    private void CheckEnd()
    {
        if (!Scheduler.IsQuiet)
        {
            var waiting = _clients.ConvertAll(static client => client.WaitsFor).FindAll(static waits => waits is not null);
            Checker.Fail("Liveness", waiting.Count > 0 ? $"still waiting long after the last fault: {string.Join("; ", waiting)}" : "something goes on for ever after the last fault and the last request");
            return;
        }

        if (_clients.Find(static client => client.WaitsFor is not null) is { } forgotten)
        {
            Checker.Fail("Liveness", $"nothing happens any more, and {forgotten.WaitsFor} has no answer");
        }

        Checker.CheckEnd();
        foreach (var server in Servers)
        {
            if (!server.Process.IsDead && server.Leaks() is { } leak)
            {
                Checker.Fail("Liveness", leak);
            }
        }
    }

    private Server Add(Server server)
    {
        _lives.Add(server);
        return server;
    }
}
