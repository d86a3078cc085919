using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>Replaces the server's response while the handler runs: it holds back the body and takes the endpoint's <c>OnStarting</c> callbacks.</summary>
/// <remarks>
/// <para>It replaces the two features instead of <c>Response.Body</c>, because a stream does not show three things:
/// whether a handler disables buffering (server-sent events), which callbacks are the endpoint's own (the server has one stack for
/// all), and whether the handler flushed, so that a response that it did not start stays so for the outer middleware.</para>
/// <para>To the handler, it behaves like the server: the first flush runs its <c>OnStarting</c> callbacks and starts the response, so the
/// status is final. (Headers that are set later are still accepted, where a server would throw.) To the outer middleware, nothing has started: after an exception,
/// the response is clean.</para>
/// <para>There are three modes. Holding: everything is buffered, up to the limit. At the limit, or immediately if buffering is disabled, it asks whether it
/// can stream; then the response is recorded without its body, so that the client sees no byte of an unrecorded response. Streaming:
/// everything is passed to the server. Discarding: the response no longer counts, and nothing is sent.</para>
/// </remarks>
internal sealed class ResponseCapture : PipeWriter, IHttpResponseFeature, IHttpResponseBodyFeature
{
    private const int FirstBuffer = 4096;

    private readonly HttpContext _context;
    private readonly IHttpResponseFeature _response;
    private readonly IHttpResponseBodyFeature _body;
    private readonly long _limit;
    private readonly RequestExecution _run;
    private readonly bool _mayStream;
    private readonly bool _holdsUnbuffered;
    private readonly Dictionary<string, StringValues> _outerHeaders;
    private readonly bool _isHead;
    private List<(Func<object, Task> Callback, object State)>? _onStarting;
    private Stream? _stream;
    private byte[] _buffer = [];
    private int _length;
    private int _flushedLength;
    private bool _bufferingDisabled;
    private bool _completed;

    private ResponseCapture(HttpContext context, IHttpResponseFeature response, IHttpResponseBodyFeature body, long limit, bool mayStream, bool holdsUnbuffered, RequestExecution run)
    {
        _context = context;
        _response = response;
        _body = body;
        _limit = limit;
        _run = run;
        _mayStream = mayStream;
        _holdsUnbuffered = holdsUnbuffered;
        _outerHeaders = SnapshotOf(response.Headers);
        _isHead = HttpMethods.IsHead(context.Request.Method);
    }

    public enum Mode
    {
        Holding,
        Streaming,
        Discarding,
        Ended,
    }

    public Mode State { get; private set; }

    /// <summary>Whether the handler sent something, from its own view: the response then starts even if its body is empty.</summary>
    public bool WasFlushed { get; private set; }

    /// <summary>Whether the buffered body exceeds the limit: a handler can write any amount without flushing.</summary>
    public bool IsOverLimit => _length > _limit || _bufferingDisabled;

    /// <summary>The buffered body.</summary>
    public ReadOnlyMemory<byte> Held => _buffer.AsMemory(0, _length);

    /// <summary>The headers that the outer pipeline had set before the endpoint ran.</summary>
    public Dictionary<string, StringValues> OuterHeaders => _outerHeaders;

    /// <summary>Installs a capture in front of the server's response.</summary>
    /// <param name="context">The request.</param>
    /// <param name="limit">The maximum size to buffer, in bytes.</param>
    /// <param name="mayStream">Whether a longer response can be streamed while the handler runs. If not, it is buffered too.</param>
    /// <param name="holdsUnbuffered">Whether a response with disabled buffering is buffered anyway, up to the limit.</param>
    /// <param name="run">Called once, when the limit is reached, to decide whether the rest can be streamed.</param>
    public static ResponseCapture Install(HttpContext context, long limit, bool mayStream, bool holdsUnbuffered, RequestExecution run)
    {
        var capture = new ResponseCapture(
            context,
            context.Features.Find<IHttpResponseFeature>()!, // as every server has
            context.Features.Find<IHttpResponseBodyFeature>()!,
            limit,
            mayStream,
            holdsUnbuffered,
            run);
        context.Features.Put<IHttpResponseFeature>(capture);
        context.Features.Put<IHttpResponseBodyFeature>(capture);
        return capture;
    }

    /// <summary>Restores the server's response. Callbacks that have not run are passed to the server, in order.</summary>
    public void Uninstall()
    {
        _context.Features.Put(_response);
        _context.Features.Put(_body);
        if (_onStarting is { } left)
        {
            _onStarting = null;
            foreach (var (callback, state) in left)
            {
                _response.OnStarting(callback, state);
            }
        }
    }

    /// <summary>Removes the endpoint's callbacks: its response is not sent, and it may run again.</summary>
    public void DropOnStarting() => _onStarting = null;

    /// <summary>Runs the endpoint's <c>OnStarting</c> callbacks, last registered first, as a server does. The endpoint's headers are then final.</summary>
    public ValueTask RunOnStartingAsync() => _onStarting is { Count: > 0 } ? RunAllOnStartingAsync() : default;

    private async ValueTask RunAllOnStartingAsync()
    {
        while (_onStarting is { Count: > 0 } callbacks)
        {
            var (callback, state) = callbacks[^1];
            callbacks.RemoveAt(callbacks.Count - 1);
            await callback(state);
        }
    }

    /// <summary>Sends the buffered body, in the way the handler sent it. Call it after <see cref="Uninstall"/>.</summary>
    public async ValueTask SendHeldAsync()
    {
        var body = MayHaveBody(_response.StatusCode) ? Held : default;
        if (WasFlushed)
        {
            await _body.Writer.WriteAsync(body);
        }
        else if (body.Length > 0)
        {
            _body.Writer.Write(body.Span);
        }

        if (_completed)
        {
            await _body.CompleteAsync();
        }
    }

    /// <summary>Undoes everything that the endpoint did to the response, so that another response can be sent.</summary>
    public void Reset()
    {
        _response.StatusCode = StatusCodes.Status200OK;
        _response.ReasonPhrase = null;
        _response.Headers.Clear();
        foreach (var (name, values) in _outerHeaders)
        {
            _response.Headers[name] = values;
        }
    }

    /// <summary>Returns the buffer. Code that writes later, from a task that outlives its request, gets an error and not other memory.</summary>
    public void End()
    {
        State = Mode.Ended;
        ReturnBuffer();
    }

    /// <summary>204, 205 and 304 have no body (RFC 9110 section 6.4.1). A body that a handler writes with them is discarded, where a server would throw.</summary>
    public static bool MayHaveBody(int status) => status is >= 200 and not (204 or 205 or 304);

    // What the handler sees: the response.

    int IHttpResponseFeature.StatusCode
    {
        get => _response.StatusCode;
        set
        {
            ThrowIfStarted();
            _response.StatusCode = value;
        }
    }

    string? IHttpResponseFeature.ReasonPhrase
    {
        get => _response.ReasonPhrase;
        set
        {
            ThrowIfStarted();
            _response.ReasonPhrase = value;
        }
    }

    IHeaderDictionary IHttpResponseFeature.Headers
    {
        get => _response.Headers;
        set => _response.Headers = value;
    }

    Stream IHttpResponseFeature.Body
    {
        get => Stream;
        set => throw new NotSupportedException("Set HttpResponse.Body instead.");
    }

    bool IHttpResponseFeature.HasStarted => WasFlushed || _response.HasStarted;

    void IHttpResponseFeature.OnStarting(Func<object, Task> callback, object state)
    {
        ThrowIfStarted();
        if (State == Mode.Holding)
        {
            (_onStarting ??= []).Add((callback, state));
        }
        else
        {
            _response.OnStarting(callback, state);
        }
    }

    void IHttpResponseFeature.OnCompleted(Func<object, Task> callback, object state) => _response.OnCompleted(callback, state);

    // What the handler sees: the body.

    public Stream Stream => _stream ??= AsStream(leaveOpen: true);

    PipeWriter IHttpResponseBodyFeature.Writer => this;

    void IHttpResponseBodyFeature.DisableBuffering()
    {
        if (_holdsUnbuffered)
        {
            _body.DisableBuffering(); // for the final output
            return;
        }

        if (!_mayStream)
        {
            throw new InvalidOperationException($"Endpoint '{_context.GetEndpoint()?.DisplayName}' streams its response, but its policy sets Transaction to SameAsHandler, so no response can be sent before the transaction is committed. Set Transaction to IdempotencyTransaction.Separate, or do not stream the response.");
        }

        _bufferingDisabled = true;
        _body.DisableBuffering();
    }

    async Task IHttpResponseBodyFeature.StartAsync(CancellationToken cancellationToken) => await FlushAsync(cancellationToken);

    async Task IHttpResponseBodyFeature.CompleteAsync()
    {
        await FlushAsync();
        Complete();
    }

    async Task IHttpResponseBodyFeature.SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken)
    {
        if (State == Mode.Holding && _mayStream && !_isHead && _length + (count ?? (new FileInfo(path).Length - offset)) > _limit)
        {
            await StopHoldingAsync();
        }

        if (State == Mode.Streaming)
        {
            await _body.SendFileAsync(path, offset, count, cancellationToken);
        }
        else
        {
            await SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken);
        }
    }

    // The writer.

    public override bool CanGetUnflushedBytes => State != Mode.Streaming || _body.Writer.CanGetUnflushedBytes;

    public override long UnflushedBytes => State == Mode.Streaming ? _body.Writer.UnflushedBytes : _length - _flushedLength;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (State == Mode.Streaming)
        {
            return _body.Writer.GetMemory(sizeHint);
        }

        EnsureRoom(Math.Max(1, sizeHint));
        return _buffer.AsMemory(_length);
    }

    public override Span<byte> GetSpan(int sizeHint = 0) =>
        State == Mode.Streaming ? _body.Writer.GetSpan(sizeHint) : GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        if (State == Mode.Streaming)
        {
            _body.Writer.Advance(bytes);
            return;
        }

        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, _buffer.Length - _length);
        _length += State == Mode.Discarding || _isHead ? 0 : bytes; // a response to HEAD has no body, whatever the handler writes
    }

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        if (State == Mode.Streaming)
        {
            return _body.Writer.WriteAsync(source, cancellationToken);
        }

        if (State == Mode.Holding && _mayStream && !_isHead && (_length + (long)source.Length > _limit || _bufferingDisabled))
        {
            return StopHoldingAndWriteAsync(source, cancellationToken);
        }

        if (State == Mode.Discarding || _isHead)
        {
            return FlushAsync(cancellationToken);
        }

        EnsureRoom(source.Length);
        source.CopyTo(_buffer.AsMemory(_length));
        _length += source.Length;
        return FlushAsync(cancellationToken);
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        switch (State)
        {
            case Mode.Streaming:
                return _body.Writer.FlushAsync(cancellationToken);

            case Mode.Holding when IsOverLimit && _mayStream:
                return StopHoldingAndWriteAsync(default, cancellationToken);

            case Mode.Holding when _onStarting is { Count: > 0 }:
                return StartAsync();

            default:
                WasFlushed = true;
                _flushedLength = _length;
                return default;
        }
    }

    public override void Complete(Exception? exception = null)
    {
        _completed = true;
        if (State == Mode.Streaming)
        {
            _body.Writer.Complete(exception);
        }
    }

    public override void CancelPendingFlush()
    {
        if (State == Mode.Streaming)
        {
            _body.Writer.CancelPendingFlush();
        }
    }

    private async ValueTask<FlushResult> StartAsync()
    {
        await RunOnStartingAsync();
        WasFlushed = true;
        _flushedLength = _length;
        return default;
    }

    private void ThrowIfStarted()
    {
        if (WasFlushed)
        {
            throw new InvalidOperationException("The response has already started.");
        }
    }

    private async ValueTask<FlushResult> StopHoldingAndWriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        await StopHoldingAsync();
        return State == Mode.Streaming ? await _body.Writer.WriteAsync(source, cancellationToken) : default;
    }

    private async ValueTask StopHoldingAsync()
    {
        if (await _run.MayStreamAsync())
        {
            State = Mode.Streaming;
            WasFlushed = true;
            if (_length > 0)
            {
                await _body.Writer.WriteAsync(Held);
            }
        }
        else
        {
            State = Mode.Discarding;
        }

        ReturnBuffer();
    }

    private void EnsureRoom(int size)
    {
        ObjectDisposedException.ThrowIf(State == Mode.Ended, typeof(HttpResponse));
        if (_completed)
        {
            throw new InvalidOperationException("Writing is not allowed after the response was completed.");
        }

        if (_buffer.Length - _length >= size)
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Max(FirstBuffer, Math.Min(Array.MaxLength, Math.Max((long)_length + size, 4L * _buffer.Length))));
        Held.CopyTo(larger);
        ReturnBuffer(keepLength: true);
        _buffer = larger;
    }

    private void ReturnBuffer(bool keepLength = false)
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        _buffer = [];
        _length = keepLength ? _length : 0;
    }

    private static readonly Dictionary<string, StringValues> NoHeaders = [];

    private static Dictionary<string, StringValues> SnapshotOf(IHeaderDictionary headers)
    {
        if (headers.Count == 0)
        {
            return NoHeaders;
        }

        var snapshot = new Dictionary<string, StringValues>(headers.Count, StringComparer.OrdinalIgnoreCase);
        foreach (var (name, values) in headers)
        {
            snapshot[name] = values;
        }

        return snapshot;
    }
}
