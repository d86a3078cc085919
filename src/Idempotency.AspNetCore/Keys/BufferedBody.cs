using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore;

/// <summary>A buffered body for a handler to read: as <c>Request.Body</c>, or as <c>Request.BodyReader</c>, which returns the buffer without copying.</summary>
/// <remarks>Both share one position. A reader that the framework creates from the stream would copy it, in blocks, for every request.</remarks>
internal sealed class BufferedBody : PipeReader, IRequestBodyPipeFeature
{
    private readonly HttpContext _context;
    private readonly MemoryStream _stream;
    private readonly byte[] _bytes;
    private readonly int _length;
    private RequestBodyPipeFeature? _other;
    private ReadOnlySequence<byte> _read;
    private bool _isCanceled;
    private bool _isCompleted;

    private BufferedBody(HttpContext context, MemoryStream stream, byte[] bytes, int length)
    {
        _context = context;
        _stream = stream;
        _bytes = bytes;
        _length = length;
    }

    /// <summary>The reader of the current body: other code may have wrapped this stream in its own.</summary>
    PipeReader IRequestBodyPipeFeature.Reader => _context.Request.Body == _stream ? this : (_other ??= new RequestBodyPipeFeature(_context)).Reader;

    /// <summary>Sets the first bytes of an array as the body of a request. The stream does not expose the array, which can be larger.</summary>
    public static void Install(HttpContext context, byte[] bytes, int length)
    {
        var stream = new MemoryStream(bytes, 0, length, writable: false, publiclyVisible: false);
        context.Request.Body = stream;
        context.Features.Put<IRequestBodyPipeFeature>(new BufferedBody(context, stream, bytes, length));
    }

    public override bool TryRead(out ReadResult result)
    {
        if (_isCompleted)
        {
            throw new InvalidOperationException("Reading is not allowed after the reader was completed.");
        }

        var position = (int)_stream.Position;
        _read = new ReadOnlySequence<byte>(_bytes, position, _length - position);
        result = new ReadResult(_read, _isCanceled, isCompleted: true);
        _isCanceled = false;
        return true;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        TryRead(out var result);
        return ValueTask.FromResult(result);
    }

    public override void AdvanceTo(SequencePosition consumed) => _stream.Position = _length - _read.Slice(consumed).Length;

    // There is no more data, so bytes that were examined and not consumed are returned again.
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => AdvanceTo(consumed);

    public override void CancelPendingRead() => _isCanceled = true;

    public override void Complete(Exception? exception = null) => _isCompleted = true;
}
