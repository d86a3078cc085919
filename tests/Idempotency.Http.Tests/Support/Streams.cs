using System.Text;

namespace Idempotency.Http.Tests;

/// <summary>A stream as a connection gives it: to be read once, and nobody knows how long it is.</summary>
internal class OneTimeStream(byte[] bytes) : Stream
{
    private int _position;

    public OneTimeStream(string text)
        : this(Encoding.UTF8.GetBytes(text))
    {
    }

    /// <summary>How often it was read from.</summary>
    public int Reads { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        Reads++;
        var count = Math.Min(Math.Min(buffer.Length, 1000), bytes.Length - _position);
        bytes.AsSpan(_position, count).CopyTo(buffer);
        _position += count;
        return count > 0 ? count : AtEnd();
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return ValueTask.FromResult(Read(buffer.Span));
        }
        catch (IOException broken)
        {
            return ValueTask.FromException<int>(broken);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected virtual int AtEnd() => 0;
}

/// <summary>The connection is cut after some bytes.</summary>
internal sealed class BreakingStream(string text) : OneTimeStream(text)
{
    protected override int AtEnd() => throw new HttpIOException(HttpRequestError.ResponseEnded);
}

/// <summary>Nothing comes until the reader gives up.</summary>
internal sealed class SilentStream() : OneTimeStream("")
{
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var forever = new TaskCompletionSource<int>();
        cancellationToken.Register(() => forever.TrySetCanceled(cancellationToken));
        return new ValueTask<int>(forever.Task);
    }
}
