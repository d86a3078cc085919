using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore.EntityFrameworkCore.KillTests;

/// <summary>
/// What orders need of others, in this process, which nobody kills: a bank that knows idempotency keys, and a mailer and a shipper that do not. And notes of what the servers' handlers do.
/// </summary>
internal sealed class OutsideServices : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, string> _charges = new(); // by idempotency key
    private readonly ConcurrentDictionary<Guid, Entered> _runs = new();
    private readonly ConcurrentQueue<Call> _calls = new();
    private readonly ConcurrentDictionary<(Guid Run, string Step), long> _confirmed = new();
    private readonly ConcurrentDictionary<Guid, byte> _lost = new();
    private long _clock;

    private OutsideServices(string url)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url);
        _app = builder.Build();
        _app.MapPost("/entered", (Guid run, string key, int attempt, string server) =>
        {
            _runs[run] = new Entered(run, key, attempt, server, Interlocked.Increment(ref _clock));
        });
        _app.MapPost("/call", (HttpContext context, Guid run, string step) =>
        {
            var id = Guid.NewGuid().ToString("N");
            id = context.Request.Headers["Idempotency-Key"] is [{ } once] ? _charges.GetOrAdd(once, id) : id;
            _calls.Enqueue(new Call(_runs[run], step, id));
            return Results.Text(id);
        });
        _app.MapPost("/confirmed", (Guid run, string step) =>
        {
            _confirmed.TryAdd((run, step), Interlocked.Increment(ref _clock));
        });
        _app.MapPost("/lost", (Guid run) =>
        {
            _lost.TryAdd(run, 0);
        });
        Url = url;
    }

    public string Url { get; }

    /// <summary>Every run of a handler.</summary>
    public IEnumerable<Entered> Runs => _runs.Values;

    /// <summary>Every execution of a step's work that got as far as its effect.</summary>
    public IEnumerable<Call> Calls => _calls;

    /// <summary>When a run went on after a step, which is recorded then, or recalled.</summary>
    public IEnumerable<(Entered Run, string Step, long At)> Confirmed => _confirmed.Select(one => (_runs[one.Key.Run], one.Key.Step, one.Value));

    /// <summary>Whether a run heard that its claim is lost.</summary>
    public bool IsLost(Entered run) => _lost.ContainsKey(run.Id);

    public int Lost => _lost.Count;

    public static async Task<OutsideServices> StartAsync()
    {
        var services = new OutsideServices(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePort.Next()}"));
        await services._app.StartAsync();
        return services;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>One run of a handler.</summary>
    /// <param name="Id">Its own.</param>
    /// <param name="Key">The request's key.</param>
    /// <param name="Attempt">Which attempt it is.</param>
    /// <param name="Server">On which server.</param>
    /// <param name="At">When it began.</param>
    internal sealed record Entered(Guid Id, string Key, int Attempt, string Server, long At);

    /// <summary>One effect, or, at the bank, the same once more.</summary>
    /// <param name="Run">The run that asked for it.</param>
    /// <param name="Step">Which step.</param>
    /// <param name="Id">What it is known by.</param>
    internal sealed record Call(Entered Run, string Step, string Id);
}
