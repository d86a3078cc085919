namespace Idempotency.AspNetCore.Simulation;

/// <summary>Somebody who sends requests, one after the other. An honest one sends a request again until it has a final answer.</summary>
internal sealed class Client(World world, int number, ulong seed)
{
    private SeededRandom _random = new(seed);

    /// <summary>What it is waiting for; null when it is done.</summary>
    public string? WaitsFor { get; private set; }

    public Process Process { get; } = new(world.Scheduler, $"client {number}");

    public void Begin() => world.Scheduler.Post(Process, static client => _ = ((Client)client!).RunAsync(), this);

    private async Task RunAsync()
    {
        var plan = world.Plan;
        for (var operation = 0; operation < plan.OperationsPerClient; operation++)
        {
            await world.PauseAsync(Process, new TimeSpan(_random.Between(0, 2 * plan.ThinkTime.Ticks)));
            // Keys are hot for a while: those of the same stretch of the world's life meet.
            var key = (operation / 3 * plan.HotKeys) + _random.Below(plan.HotKeys);
            var isOtherRequest = _random.Chance(plan.Reuses);
            var request = new RequestPlan(_random.Below(plan.Users), key, isOtherRequest ? 100 + _random.Below(2) : key, world.IsOfCalls(key));
            var isHonest = !isOtherRequest && !_random.Chance(plan.Dishonest);
            var own = new SeededRandom(_random.Next());
            if (plan.Operations?.Contains((ulong)((number * plan.OperationsPerClient) + operation)) == false)
            {
                continue;
            }

            if (own.Chance(plan.Doubles))
            {
                _ = SendAsync(request, own.Next()); // a double click
            }

            await SendUntilFinalAsync(request, isHonest ? int.MaxValue : own.Below(2), own);
        }

        WaitsFor = null;
    }

    private async Task SendUntilFinalAsync(RequestPlan request, int retries, SeededRandom random)
    {
        var pause = TimeSpan.FromMilliseconds(50);
        for (var attempt = 0; ; attempt++)
        {
            WaitsFor = retries == int.MaxValue ? $"{Process.Name}: {request}" : WaitsFor;
            var answer = await SendAsync(request, random.Next());
            if (IsFinal(answer) || attempt >= retries)
            {
                return;
            }

            await world.PauseAsync(Process, pause + new TimeSpan(random.Between(0, pause.Ticks)));
            pause = 2 * pause < TimeSpan.FromSeconds(2) ? 2 * pause : TimeSpan.FromSeconds(2);
        }
    }

    private Task<Answer> SendAsync(RequestPlan request, ulong seed)
    {
        var random = new SeededRandom(seed);
        return world.SendAsync(request, random.Next(), random.Below(world.Servers.Count), Process, world.Plan.Patience);
    }

    public static bool IsFinal(Answer answer) => answer.Kind == AnswerKind.Response && answer.Status is not (429 or >= 500) && answer.Code != "idempotency-request-in-progress";
}
