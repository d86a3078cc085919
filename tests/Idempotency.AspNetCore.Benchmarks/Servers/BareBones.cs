using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>
/// The least that any middleware of this kind has to do at a first execution, and nothing of what makes it one: it reads the key and the body, hashes both,
/// puts the key into a table, holds the answer back, keeps it and sends it on. No replay, no lease, no owner, no limit, no canonical form, no flag, and
/// whatever a handler does beyond writing a small body breaks it. It shows what of a first execution's cost no design could spare.
/// </summary>
internal static class BareBones
{
    private static readonly ConcurrentDictionary<Sha256Hash, byte[]> Records = new();

    public static async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var key = Hash(context.Request.Headers["Idempotency-Key"].ToString());
        var body = await ReadAsync(context.Request);
        var fingerprint = Sha256Hash.Of(body);
        if (!Records.TryAdd(key, []))
        {
            throw new InvalidOperationException("The load generator sends each key once.");
        }

        var response = context.Features.Get<IHttpResponseBodyFeature>()!;
        using var held = new Held(response);
        context.Request.Body = new MemoryStream(body, writable: false);
        context.Features.Set<IHttpResponseBodyFeature>(held);
        await next(context);
        context.Features.Set(response);
        context.Response.Headers.ETag = "W/\"0123456789012345678901\"";
        Records[key] = Record(fingerprint, held.Written.Span);
        await response.Writer.WriteAsync(held.Written);
    }

    private static Sha256Hash Hash(string key)
    {
        Span<byte> bytes = stackalloc byte[key.Length];
        return Sha256Hash.Of(bytes[..System.Text.Encoding.ASCII.GetBytes(key, bytes)]);
    }

    private static async ValueTask<byte[]> ReadAsync(HttpRequest request)
    {
        var body = new byte[(int)request.ContentLength!.Value];
        for (var length = 0; ;)
        {
            var read = await request.BodyReader.ReadAsync();
            read.Buffer.CopyTo(body.AsSpan(length));
            length += (int)read.Buffer.Length;
            request.BodyReader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return body;
            }
        }
    }

    private static byte[] Record(Sha256Hash fingerprint, ReadOnlySpan<byte> answer)
    {
        var record = new byte[Sha256Hash.Length + answer.Length];
        fingerprint.CopyTo(record);
        answer.CopyTo(record.AsSpan(Sha256Hash.Length));
        return record;
    }

    /// <summary>An answer that is held back.</summary>
    private sealed class Held(IHttpResponseBodyFeature response) : PipeWriter, IHttpResponseBodyFeature, IDisposable
    {
        private readonly byte[] _bytes = ArrayPool<byte>.Shared.Rent(4096);
        private int _length;

        public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, _length);

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

        public override Memory<byte> GetMemory(int sizeHint = 0) => _bytes.AsMemory(_length);

        public override Span<byte> GetSpan(int sizeHint = 0) => _bytes.AsSpan(_length);

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
