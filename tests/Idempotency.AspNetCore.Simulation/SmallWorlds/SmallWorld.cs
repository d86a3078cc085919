namespace Idempotency.AspNetCore.Simulation;

/// <summary>Two servers, one key, a few requests at exact times, and at most one fault: small enough for every history there can be.</summary>
internal sealed record SmallWorld
{
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(3);

    public required string Name { get; init; }

    /// <summary>The requests, in the order in which they are sent.</summary>
    public required ScriptedRequest[] Requests { get; init; }

    /// <summary>What the handler's runs do: the first, the second, and all that follow as the last of these.</summary>
    public required HandlerPlan[] Handlers { get; init; }

    /// <summary>When the first server freezes, and for how long; null when it does not.</summary>
    public (TimeSpan At, TimeSpan Span)? Freeze { get; init; }

    public IdempotencyPolicy Policy { get; init; } = new() { ClaimDuration = Lease, Retention = TimeSpan.FromHours(1) };

    public Func<TimeProvider, IIdempotencyStore>? FaultyStore { get; init; }

    public override string ToString() => Name;

    /// <summary>Runs every history.</summary>
    /// <returns>How many there are, and the first that breaks a promise, told.</returns>
    public (int Histories, WorldResult? Failed) Explore(int most = int.MaxValue)
    {
        var choices = new ExhaustiveChoices();
        var histories = 0;
        do
        {
            histories++;
            if (Run(choices, isTold: false) is { Violation: not null })
            {
                choices.Rewind();
                return (histories, Run(choices, isTold: true));
            }
        }
        while (choices.Next() && histories < most);
        return (histories, null);
    }

    private WorldResult Run(ExhaustiveChoices choices, bool isTold)
    {
        var plan = new WorldPlan { Seed = 0, Servers = 2, Clients = 0, Drift = 0, Policy = Policy, FaultyStore = FaultyStore, ThinkTime = Lease };
        using var world = new World(plan, choices, world => new OneFault(world, choices, Freeze is not null), Handlers, isTold);
        var violation = world.Run(() =>
        {
            var client = new Process(world.Scheduler, "client");
            for (var i = 0; i < Requests.Length; i++)
            {
                var request = Requests[i];
                var seed = (ulong)i;
                world.Scheduler.PostAfter(request.At, client, _ => _ = SendAsync(world, request, client, seed), null);
            }

            if (Freeze is { } freeze)
            {
                world.Scheduler.PostAfter(freeze.At, null, _ => world.Servers[0].Freeze(freeze.Span), null);
            }
        });
        return new WorldResult(plan, violation, world.Scheduler.History, world.Operations, world.Scheduler.Events, world.Checker.Runs, [], $"choices {choices}{Environment.NewLine}{world.Timeline.Of(null)}");
    }

    private static async Task SendAsync(World world, ScriptedRequest scripted, Process client, ulong seed)
    {
        var request = new RequestPlan(0, 0, scripted.Payment);
        for (var attempt = 0; attempt <= scripted.Retries; attempt++)
        {
            var answer = await world.SendAsync(request, seed, scripted.Server, client, TimeSpan.FromSeconds(30));
            if (Client.IsFinal(answer))
            {
                return;
            }

            await world.PauseAsync(client, scripted.RetryAfter);
        }
    }
}
