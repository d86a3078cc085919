using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>
/// The least that any middleware of this kind has to do, and nothing of what makes it one. It shows what of a request's cost no design could spare, for bodies of every size.
/// </summary>
/// <remarks>
/// <para>A first execution: it hashes the key; reads the body once, into pooled memory; hashes it there as it is; puts the key into a dictionary; gives the handler the body from
/// there; holds the response in pooled memory; records it as one array, the only copy and the only allocation that grows with the body; and sends it from the record.</para>
/// <para>A replay: key, body and the two hashes as above, because a duplicate has to be the same request; a lookup; a header; and the recorded response, sent from the record.</para>
/// <para>No lease, no owner, no limit, no partition, no canonical form, no recorded headers, no flag in the body, no expiry: it forgets everything at once when it holds too much.
/// A request without a Content-Length, or a handler that does more than write a body, breaks it.</para>
/// </remarks>
internal static class BareBones
{
    private const long MostBytes = 256 << 20;

    private static readonly ConcurrentDictionary<Sha256Hash, byte[]> Records = new();
    private static long HeldBytes;

    public static async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var key = Hash(context.Request.Headers["Idempotency-Key"].ToString());
        var length = (int)context.Request.ContentLength!.Value;
        var body = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            await ReadAsync(context.Request.BodyReader, body);
            var fingerprint = Sha256Hash.Of(body.AsSpan(0, length));
            if (Records.TryAdd(key, []))
            {
                await RunAsync(context, next, key, fingerprint, body, length);
            }
            else if (Records[key] is { Length: > 0 } record && Sha256Hash.FromBytes(record.AsSpan(0, Sha256Hash.Length)).Equals(fingerprint))
            {
                await ReplayAsync(context.Response, record);
            }
            else
            {
                context.Response.StatusCode = StatusCodes.Status409Conflict; // only before the first is recorded, while nothing is measured
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(body);
        }
    }

    /// <summary>Empties the dictionary.</summary>
    public static void Forget()
    {
        HeldBytes = 0;
        Records.Clear();
    }

    private static async Task RunAsync(HttpContext context, RequestDelegate next, Sha256Hash key, Sha256Hash fingerprint, byte[] body, int length)
    {
        var response = context.Features.Get<IHttpResponseBodyFeature>()!;
        using var held = new Held(response);
        context.Features.Set<IRequestBodyPipeFeature>(new Body(body, length));
        context.Features.Set<IHttpResponseBodyFeature>(held);
        await next(context);
        context.Features.Set(response);
        context.Response.Headers.ETag = "W/\"0123456789012345678901\"";
        var record = Record(fingerprint, held.Written);
        if (Interlocked.Add(ref HeldBytes, record.Length) > MostBytes)
        {
            Forget();
        }

        Records[key] = record;
        await response.Writer.WriteAsync(record.AsMemory(Sha256Hash.Length));
    }

    private static ValueTask<FlushResult> ReplayAsync(HttpResponse response, byte[] record)
    {
        var answer = record.AsMemory(Sha256Hash.Length);
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = answer.Length;
        response.Headers.ETag = "W/\"0123456789012345678901\"";
        response.Headers["Idempotent-Replayed"] = "true";
        return response.BodyWriter.WriteAsync(answer);
    }

    private static Sha256Hash Hash(string key)
    {
        Span<byte> bytes = stackalloc byte[key.Length];
        return Sha256Hash.Of(bytes[..System.Text.Encoding.ASCII.GetBytes(key, bytes)]);
    }

    private static async ValueTask ReadAsync(PipeReader reader, byte[] body)
    {
        for (var length = 0; ;)
        {
            var read = await reader.ReadAsync();
            read.Buffer.CopyTo(body.AsSpan(length));
            length += (int)read.Buffer.Length;
            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    private static byte[] Record(Sha256Hash fingerprint, ReadOnlySpan<byte> answer)
    {
        var record = GC.AllocateUninitializedArray<byte>(Sha256Hash.Length + answer.Length);
        fingerprint.CopyTo(record);
        answer.CopyTo(record.AsSpan(Sha256Hash.Length));
        return record;
    }

    /// <summary>A request body that has been read.</summary>
    private sealed class Body(byte[] bytes, int length) : IRequestBodyPipeFeature
    {
        public PipeReader Reader { get; } = PipeReader.Create(new ReadOnlySequence<byte>(bytes, 0, length));
    }

    /// <summary>A response that is held back.</summary>
    private sealed class Held(IHttpResponseBodyFeature response) : PipeWriter, IHttpResponseBodyFeature, IDisposable
    {
        private byte[] _bytes = ArrayPool<byte>.Shared.Rent(4096);
        private int _length;

        public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

        public Stream Stream => AsStream();

        public PipeWriter Writer => this;

        public override bool CanGetUnflushedBytes => true;

        public override long UnflushedBytes => _length;

        public void DisableBuffering()
        {
        }

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => response.SendFileAsync(path, offset, count, cancellationToken);

        public Task CompleteAsync() => Task.CompletedTask;

        public override Memory<byte> GetMemory(int sizeHint = 0)
        {
            if (_bytes.Length - _length < Math.Max(1, sizeHint))
            {
                var larger = ArrayPool<byte>.Shared.Rent(Math.Max(2 * _bytes.Length, _length + sizeHint));
                Written.CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_bytes);
                _bytes = larger;
            }

            return _bytes.AsMemory(_length);
        }

        public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

        public override void Advance(int bytes) => _length += bytes;

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => default;

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }

        public void Dispose() => ArrayPool<byte>.Shared.Return(_bytes);
    }
}
