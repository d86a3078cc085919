using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>
/// A request as a server hands it out: a body that comes through a pipe and cannot be read twice, an answer that goes into one. Everything is
/// used again for the next request, as a server does, so that what is allocated is what the pipeline allocates.
/// </summary>
internal sealed class PipelineRequest
{
    private readonly DefaultHttpContext _context = new();
    private readonly FeatureCollection _features = new();
    private readonly HttpRequestFeature _request = new();
    private readonly HttpResponseFeature _response = new();
    private readonly HttpRequestLifetimeFeature _lifetime = new();
    private readonly ResponseBody _responseBody = new();
    private readonly RequestBodyPipe _requestBody;
    private readonly int _bodyLength;

    public PipelineRequest(byte[] body)
    {
        _requestBody = new RequestBodyPipe(body);
        _bodyLength = body.Length;
    }

    public bool LastWasReplay => _response.Headers.ContainsKey("Idempotent-Replayed");

    /// <summary>The next request, with a key.</summary>
    public HttpContext Next(string key)
    {
        _request.Method = "POST";
        _request.Path = "/pay";
        _request.Protocol = "HTTP/1.1";
        _request.Scheme = "http";
        _request.Body = RequestStream.Instance;
        _request.Headers.Clear();
        _request.Headers.ContentType = "application/json";
        _request.Headers.ContentLength = _bodyLength;
        _request.Headers["Idempotency-Key"] = key;
        _response.StatusCode = StatusCodes.Status200OK;
        _response.Headers.Clear();
        _features.Set<IHttpRequestFeature>(_request);
        _features.Set<IHttpResponseFeature>(_response);
        _features.Set<IHttpRequestLifetimeFeature>(_lifetime);
        _features.Set<IHttpResponseBodyFeature>(_responseBody);
        _features.Set<IRequestBodyPipeFeature>(_requestBody);
        _context.Uninitialize();
        _context.Initialize(_features);
        return _context;
    }

    private sealed class RequestBodyPipe(byte[] body) : PipeReader, IRequestBodyPipeFeature
    {
        private readonly ReadOnlySequence<byte> _body = new(body);

        public PipeReader Reader => this;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => new(new ReadResult(_body, false, true));

        public override bool TryRead(out ReadResult result)
        {
            result = new ReadResult(_body, false, true);
            return true;
        }

        public override void AdvanceTo(SequencePosition consumed)
        {
        }

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
        }

        public override void CancelPendingRead()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }
    }

    private sealed class ResponseBody : PipeWriter, IHttpResponseBodyFeature
    {
        private readonly byte[] _buffer = new byte[16 * 1024];

        public Stream Stream => Stream.Null;

        public PipeWriter Writer => this;

        public override Memory<byte> GetMemory(int sizeHint = 0) => _buffer;

        public override Span<byte> GetSpan(int sizeHint = 0) => _buffer;

        public override void Advance(int bytes)
        {
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => default;

        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
        {
            source.CopyTo(_buffer);
            return default;
        }

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }

        public void DisableBuffering()
        {
        }

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task CompleteAsync() => Task.CompletedTask;

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException("No benchmark sends a file.");
    }

    /// <summary>What a server's stream is to the middleware: not seekable. The bytes come through the pipe.</summary>
    private sealed class RequestStream : Stream
    {
        public static RequestStream Instance { get; } = new();

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => 0;

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
