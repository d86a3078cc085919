using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>One life of one server: its own services, its own clock, and the real pipeline. A crash ends it; what comes up in its place is another.</summary>
internal sealed class Server
{
    private readonly HashSet<Exchange> _exchanges = [];
    private readonly ServiceProvider _services;
    private readonly RequestDelegate _pipeline;
    private readonly Handler _handler;

    public Server(World world, int place, int life, long drift)
    {
        World = world;
        Place = place;
        Life = life;
        Name = $"server {(char)('A' + place)}{(life == 1 ? "" : life)}";
        Process = new Process(world.Scheduler, Name, () => world.Faults.Pause(this));
        Time = new SimulatedTime(world.Scheduler, Process, drift);
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(Time);
        services.AddSingleton<IIdempotencyStore>(new StoreNetwork(world, this));
        services.AddIdempotency(options =>
        {
            options.LocalCacheMaxEntries = world.Plan.LocalCacheMaxEntries;
            options.DefaultPolicy = world.Plan.Policy;
        });
        _services = services.BuildServiceProvider();
        Endpoint = new Endpoint(null, new EndpointMetadataCollection(new PolicyMetadata(world.Plan.Policy)), "payments");
        SynchronizationContext.SetSynchronizationContext(new Strand(Process));
        var app = new ApplicationBuilder(_services);
        app.UseIdempotency();
        _handler = new Handler(world, this);
        app.Run(_handler.InvokeAsync);
        _pipeline = app.Build();
        SynchronizationContext.SetSynchronizationContext(null);
    }

    public World World { get; }

    public int Place { get; }

    public int Life { get; }

    public string Name { get; }

    public Process Process { get; }

    public SimulatedTime Time { get; }

    public IServiceProvider Services => _services;

    public Endpoint Endpoint { get; }

    /// <summary>Until when it cannot reach the store, in ticks.</summary>
    public long CutOffUntil { get; set; } = long.MinValue;

    /// <summary>Until when it was last frozen or paused, in ticks.</summary>
    public long DisturbedUntil { get; private set; } = long.MinValue;

    /// <summary>Calls to the store that belong to no request, and steps of its threads: what is drawn for one of them is named by its number.</summary>
    public long Calls { get; set; }

    public long Steps { get; set; }

    public override string ToString() => Name;

    public void Disturb(TimeSpan effect) => DisturbedUntil = Math.Max(DisturbedUntil, MonotonicTime.After(World.Scheduler.Now, effect));

    public void Accept(Exchange exchange)
    {
        _exchanges.Add(exchange);
        World.Scheduler.Post(Process, static state => _ = ((ValueTuple<Server, Exchange>)state!).Item1.HandleAsync(((ValueTuple<Server, Exchange>)state!).Item2), (this, exchange));
    }

    public void Forget(Exchange exchange) => _exchanges.Remove(exchange);

    public void Crash()
    {
        if (Process.IsDead)
        {
            return;
        }

        World.Timeline.Add(null, this, static server => $"{server} CRASHES");
        World.Checker.Crashed(this);
        Process.Crash();
        foreach (var exchange in _exchanges.ToArray())
        {
            exchange.Reset();
        }

        World.Restart(this);
    }

    public void Freeze(TimeSpan span)
    {
        if (Process.IsDead || Process.IsFrozen)
        {
            return;
        }

        World.Timeline.Add(null, (this, span), static frozen => $"{frozen.Item1} FREEZES for {frozen.span.TotalSeconds:0.000} s");
        Process.Freeze();
        Disturb(span);
        World.Scheduler.PostAfter(span, null, static server => ((Server)server!).Process.Thaw(), this);
    }

    /// <summary>An operator has it forget a record.</summary>
    public void Delete(StoreKey key) => World.Scheduler.Post(Process, static state => _ = ((ValueTuple<Server, StoreKey>)state!).Item1.DeleteAsync(((ValueTuple<Server, StoreKey>)state!).Item2), (this, key));

    /// <summary>What is left in it when nothing runs; null when nothing is.</summary>
    public string? Leaks()
    {
        var claims = _services.GetRequiredService<LeaseKeeper>().Count;
        var tickets = _services.GetRequiredService<DuplicateWaiters>().Count;
        return claims != 0 ? $"{Name} still renews {claims} claims"
            : tickets != 0 ? $"{Name} still holds {tickets} tickets of duplicates that wait"
            : Time.Timers > 1 ? $"{Name} still has {Time.Timers} timers, and needs one" // the lease keeper's
            : _exchanges.Count != 0 ? $"{Name} has not answered {string.Join(", ", _exchanges)}"
            : null;
    }

    public void Dispose() => _services.Dispose();

    private async Task HandleAsync(Exchange exchange)
    {
        Exchange.Current = exchange;
        exchange.Arrive(this, World.Scheduler.Now);
        World.Timeline.Add(exchange.KeyName, exchange, static exchange => $"{exchange.Server} receives {exchange}");
        if (exchange.Plan.IsCall)
        {
            await CallAsync(exchange);
            return;
        }

        var context = exchange.ToContext();
        try
        {
            await _pipeline(context);
            await exchange.FinishAsync();
        }
        catch (Exception exception)
        {
            World.Checker.Threw(exchange, exception);
            if (exchange.HasStarted || exchange.IsAbandoned)
            {
                exchange.Reset();
                return;
            }

            exchange.Clear();
            await exchange.FinishAsync();
        }
    }

    private async Task CallAsync(Exchange exchange)
    {
        try
        {
            var executor = _services.GetRequiredService<IIdempotentExecutor>();
            exchange.Return(await executor.ExecuteAsync("payments", exchange.Plan.CallKey, (run, _) => _handler.CallAsync(exchange, run), exchange.Plan.CallOptions, exchange.RequestAborted));
        }
        catch (Exception exception) when (exception is IdempotencyException or ApplicationFailure)
        {
            exchange.Throw((exception as IdempotencyException)?.Code);
        }
        catch (Exception exception)
        {
            World.Checker.Threw(exchange, exception);
            exchange.Reset();
        }
    }

    private async Task DeleteAsync(StoreKey key)
    {
        try
        {
            await _services.GetRequiredService<IIdempotencyRecords>().ForgetAsync(key, CancellationToken.None);
            World.Checker.Forgotten(this, key);
        }
        catch (Exception exception) when (exception is NetworkException or TimeoutException)
        {
            // The operator sees it.
        }
    }
}
