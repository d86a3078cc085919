using System.Buffers;
using System.IO.Pipelines;
using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace Idempotency.AspNetCore.Simulation;

/// <summary>One request on its way through one server, and its response: what a web server's connection is to a real one. Or a call of a function, which needs less.</summary>
internal sealed class Exchange : PipeWriter, IHttpResponseFeature, IHttpResponseBodyFeature, IHttpRequestLifetimeFeature, IRequestBodyPipeFeature, IHttpAuthenticationFeature
{
    private static readonly AsyncLocal<Exchange?> Ambient = new();

    private readonly ArrayBufferWriter<byte> _unsent = new(256);
    private readonly ArrayBufferWriter<byte> _sent = new(256);
    private readonly World _world;
    private readonly Action<Answer> _onAnswer;
    private List<(Func<object, Task> Callback, object State)>? _onStarting;
    private readonly Lazy<CancellationTokenSource> _aborted = new(static () => new CancellationTokenSource(), isThreadSafe: false);
    private readonly TimeSpan _bodyTakes;
    private readonly bool _leavesWithinBody;
    private bool _isAnswered;

    // Where its body comes in two parts: the second. Null where it has come with the head, as most have.
    private readonly Pipe? _slowBody;

    public Exchange(World world, RequestPlan plan, ulong seed, Action<Answer> onAnswer)
    {
        _world = world;
        _onAnswer = onAnswer;
        Plan = plan;
        Seed = seed;
        LeavesAfter = world.Faults.ClientLeavesAfter(seed);
        Number = world.NextExchange();
        var random = new SeededRandom(SeededRandom.Mix(seed ^ 7));
        if (world.Plan.SlowBodies > 0 && random.Chance(world.Plan.SlowBodies) && !plan.IsCall)
        {
            _slowBody = new Pipe(new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: true));
            _slowBody.Writer.Write(plan.Body.AsSpan(0, plan.Body.Length / 2));
            _ = _slowBody.Writer.FlushAsync().AsTask(); // at once: nobody reads yet
            _bodyTakes = random.Spread(TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(1));
            _leavesWithinBody = world.Faults.ClientLeavesAfter(seed ^ 9) is not null;
        }

        Reader = _slowBody?.Reader ?? PipeReader.Create(new ReadOnlySequence<byte>(plan.Body));
    }

    /// <summary>The request that this code runs for.</summary>
    public static Exchange? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public int Number { get; }

    public RequestPlan Plan { get; }

    /// <summary>What is drawn for it is drawn from this.</summary>
    public ulong Seed { get; }

    public bool HasSlowBody => _slowBody is not null;

    /// <summary>How many calls to the store were made for it.</summary>
    public int Calls { get; set; }

    public Server? Server { get; private set; }

    public long ArrivedAt { get; private set; }

    /// <summary>When the last reply of the store came for it.</summary>
    public long LastReplyAt { get; set; }

    /// <summary>The claim that it got.</summary>
    public Tenure? Tenure { get; set; }

    /// <summary>The run of its handler.</summary>
    public HandlerRun? Run { get; set; }

    /// <summary>Whether a call to the store that it made went wrong, or its server did.</summary>
    public bool IsDisturbed { get; private set; }

    /// <summary>Whether its client has left.</summary>
    public bool IsAbandoned { get; private set; }

    /// <summary>After how many bytes of the response the client leaves.</summary>
    public int? LeavesAfter { get; }

    public bool HasStarted { get; private set; }

    public int StatusCode { get; set; } = 200;

    public string? ReasonPhrase { get; set; }

    public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

    public ClaimsPrincipal? User { get => Plan.Principal; set => throw new NotSupportedException(); }

    public PipeReader Reader { get; }

    public Stream Stream => AsStream(leaveOpen: true);

    public Stream Body { get => Stream; set => throw new NotSupportedException(); }

    public PipeWriter Writer => this;

    public CancellationToken RequestAborted
    {
        get => _aborted.Value.Token;
        set => throw new NotSupportedException();
    }

    /// <summary>The key it is about, in the timeline.</summary>
    public string KeyName => Plan.KeyName;

    public override string ToString() => $"request {Number} ({Plan})";

    public void Disturb() => IsDisturbed = true;

    public void Arrive(Server server, long now)
    {
        Server = server;
        ArrivedAt = LastReplyAt = now;
    }

    public HttpContext ToContext()
    {
        var features = new FeatureCollection(12);
        features.Set<IHttpRequestFeature>(Plan.ToFeature(Reader.AsStream()));
        features.Set<IHttpResponseFeature>(this);
        features.Set<IHttpResponseBodyFeature>(this);
        features.Set<IHttpRequestLifetimeFeature>(this);
        features.Set<IRequestBodyPipeFeature>(this);
        features.Set<IHttpAuthenticationFeature>(this);
        features.Set(this);
        var context = new DefaultHttpContext(features) { RequestServices = Server!.Services };
        context.SetEndpoint(Server.Endpoint);
        if (_slowBody is not null)
        {
            _world.Scheduler.PostAfter(_bodyTakes, null, static exchange => ((Exchange)exchange!).EndBody(), this);
        }

        return context;
    }

    private void EndBody()
    {
        if (IsAbandoned || _leavesWithinBody)
        {
            Leave();
            _slowBody!.Writer.Complete(new IOException("The client has left in the middle of the request."));
            Answer(new Answer { Kind = AnswerKind.Left });
            return;
        }

        _slowBody!.Writer.Write(Plan.Body.AsSpan(Plan.Body.Length / 2));
        _slowBody.Writer.Complete();
    }

    /// <summary>The client is gone; the server learns it.</summary>
    public void Leave()
    {
        if (!IsAbandoned)
        {
            IsAbandoned = true;
            if (Server is { Process: { IsDead: false } process })
            {
                _world.Scheduler.Post(process, static exchange => ((Exchange)exchange!)._aborted.Value.Cancel(), this);
            }
        }
    }

    /// <summary>The function has returned.</summary>
    public void Return(string result) => Answer(_world.Checker.Returned(this, result));

    /// <summary>The function has thrown: an exception of the library, with its code, or one of its own.</summary>
    public void Throw(string? code) => Answer(new Answer
    {
        Kind = AnswerKind.Response,
        Status = code switch { null => 500, "idempotency-store-unavailable" or "idempotency-claim-lost" => 503, _ => 409 }, // what tells whether to call again
        Body = code is null ? "" : $"{{\"code\":\"{code}\"}}",
    });

    /// <summary>The server's side of the connection is gone, without a word.</summary>
    public void Reset() => Answer(new Answer { Kind = AnswerKind.Reset });

    public void Abort() => Reset();

    public void OnStarting(Func<object, Task> callback, object state) => (_onStarting ??= []).Add((callback, state));

    public void OnCompleted(Func<object, Task> callback, object state)
    {
    }

    public void DisableBuffering()
    {
    }

    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (HasStarted)
        {
            return;
        }

        while (_onStarting is { Count: > 0 } callbacks)
        {
            var (callback, state) = callbacks[^1];
            callbacks.RemoveAt(callbacks.Count - 1);
            await callback(state);
        }

        HasStarted = true;
        _world.Checker.Told(this);
    }

    public async Task CompleteAsync() => await FlushAsync();

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>The pipeline has ended: what is left goes out, and the client has its answer.</summary>
    public async Task FinishAsync()
    {
        await FlushAsync();
        var text = Encoding.UTF8.GetString(_sent.WrittenSpan);
        Answer(new Answer
        {
            Kind = AnswerKind.Response,
            Status = StatusCode,
            Body = text,
            IsReplay = Headers.ContainsKey(IdempotencyHeaders.Replayed),
            IsMarkedUnstored = Headers.ContainsKey(IdempotencyHeaders.Stored),
        });
    }

    /// <summary>The pipeline has thrown before the response started.</summary>
    public void Clear()
    {
        StatusCode = 500;
        Headers.Clear();
        _onStarting = null;
        _unsent.Clear();
    }

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        await StartAsync(cancellationToken);
        _sent.Write(_unsent.WrittenSpan); // also what nobody reads any more: it must be right all the same
        _unsent.Clear();
        if (!IsAbandoned && LeavesAfter is { } after && _sent.WrittenCount >= after)
        {
            Leave();
            Answer(new Answer { Kind = AnswerKind.Left });
        }

        return default;
    }

    public override void Advance(int bytes) => _unsent.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => _unsent.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _unsent.GetSpan(sizeHint);

    public override void CancelPendingFlush()
    {
    }

    public override void Complete(Exception? exception = null)
    {
    }

    private void Answer(Answer answer)
    {
        if (!_isAnswered)
        {
            _isAnswered = true;
            if (answer.Kind == AnswerKind.Response)
            {
                _world.Checker.Answered(this, answer);
            }

            Server?.Forget(this);
            _onAnswer(answer);
        }
    }
}
