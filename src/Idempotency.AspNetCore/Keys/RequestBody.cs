using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore;

/// <summary>The body of a request, read to its end before anything is claimed, and there for the handler again.</summary>
internal readonly struct RequestBody
{
    // The array that holds the bytes, when they were taken from the connection and the handler must get them from here.
    private readonly byte[]? _taken;

    // Where a body that can be read again stood.
    private readonly long? _position;

    private RequestBody(ReadOnlyMemory<byte> bytes, byte[]? taken = null, long? position = null, bool isParsedForm = false, bool isTooLarge = false)
    {
        Bytes = bytes;
        _taken = taken;
        _position = position;
        IsParsedForm = isParsedForm;
        IsTooLarge = isTooLarge;
    }

    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Whether the bytes are not what was sent, but what an earlier middleware parsed from it.</summary>
    public bool IsParsedForm { get; }

    /// <summary>Whether the body is over the limit; then nothing else is known of it.</summary>
    public bool IsTooLarge { get; }

    /// <summary>Reads the body. Before a handler runs, <see cref="GiveBackTo"/> must put it where it was.</summary>
    /// <remarks>
    /// <para>The handler gets a copy in memory rather than the connection: a client that goes away then takes nothing from it, and no server's
    /// limit on unread data (or HTTP/2 window) is in the way. The array is not pooled: a handler may keep the stream for longer than the request.</para>
    /// <para>What fails while reading (the client went away, the server's own limit) is an <see cref="IOException"/>, and nothing is claimed yet.</para>
    /// </remarks>
    public static ValueTask<RequestBody> ReadAsync(HttpContext context, long limit)
    {
        var request = context.Request;
        var announced = request.ContentLength;
        if (announced > limit)
        {
            return ValueTask.FromResult(new RequestBody(default, isTooLarge: true));
        }

        if (announced == 0 || (announced is null && context.Features.Find<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false }))
        {
            return ValueTask.FromResult(default(RequestBody));
        }

        if (request.Body.CanSeek)
        {
            return RewindAsync(request, limit, context.RequestAborted);
        }

        // Antiforgery, for one, reads forms before this middleware may: the stream is at its end, and only the form tells requests apart.
        return AntiforgeryCheck.FormOf(context) is { } form
            ? ReadFormAsync(form, AntiforgeryCheck.TokenFieldOf(context), limit, context.RequestAborted)
            : TryReadArrived(request, announced, limit, out var body) ? ValueTask.FromResult(body)
            : BufferAsync(request, limit, context.RequestAborted);
    }

    /// <summary>A body that has come with the head, as most have: nothing to wait for, so no state machine, and no token of the server's to be made.</summary>
    private static bool TryReadArrived(HttpRequest request, long? announced, long limit, out RequestBody body)
    {
        body = default;
        // Unannounced, it seldom ends where it stands. A client that waits for 100 Continue is told so by the reader's asynchronous side.
        if (announced is null || request.Headers.Expect.Count > 0)
        {
            return false;
        }

        var reader = request.BodyReader;
        if (!reader.TryRead(out var read))
        {
            return false;
        }

        if (!read.IsCompleted || read.IsCanceled || read.Buffer.Length > limit)
        {
            reader.AdvanceTo(read.Buffer.Start); // as if it had not been looked at
            return false;
        }

        var bytes = read.Buffer.ToArray();
        reader.AdvanceTo(read.Buffer.End);
        body = new RequestBody(bytes, taken: bytes);
        return true;
    }

    /// <summary>Leaves a body that reads as it did before; also once more, for a handler that runs again.</summary>
    public void GiveBackTo(HttpContext context)
    {
        if (_taken is not null)
        {
            BufferedBody.Install(context, _taken, Bytes.Length);
        }
        else if (_position is { } position)
        {
            try
            {
                context.Request.Body.Position = position; // a handler that runs again reads it again
            }
            catch (Exception gone) when (gone is ObjectDisposedException or NotSupportedException or IOException)
            {
                // The first run has closed it.
                BufferedBody.Install(context, Bytes.ToArray(), Bytes.Length);
                context.Request.Body.Position = position;
            }
        }
    }

    private static async ValueTask<RequestBody> BufferAsync(HttpRequest request, long limit, CancellationToken aborted)
    {
        // Through the reader: what a middleware before us has looked at without consuming it is still there, and not in the stream.
        var (bytes, length) = await ReadToEndAsync(request.BodyReader, request.ContentLength, limit, aborted);
        if (length > limit)
        {
            return new RequestBody(default, isTooLarge: true);
        }

        return new RequestBody(bytes.AsMemory(0, (int)length), taken: bytes);
    }

    /// <summary>Somebody before us made the body seekable (<c>EnableBuffering</c>): it is read from its start and put back where it stood.</summary>
    private static async ValueTask<RequestBody> RewindAsync(HttpRequest request, long limit, CancellationToken aborted)
    {
        var body = request.Body;
        var position = body.Position;
        body.Position = 0;
        var reader = PipeReader.Create(body, new StreamPipeReaderOptions(leaveOpen: true));
        var (bytes, length) = await ReadToEndAsync(reader, request.ContentLength, limit, aborted);
        await reader.CompleteAsync();
        body.Position = position;
        return length > limit
            ? new RequestBody(default, isTooLarge: true)
            : new RequestBody(bytes.AsMemory(0, (int)length), position: position);
    }

    private static async ValueTask<(byte[] Bytes, long Length)> ReadToEndAsync(PipeReader body, long? announced, long limit, CancellationToken aborted)
    {
        // Room for what was announced, but never more than 16 times what has really arrived: an announcement is cheap to make.
        var bytes = GC.AllocateUninitializedArray<byte>((int)Math.Min(announced ?? 4096, 64 * 1024));
        long length = 0;
        while (true)
        {
            var read = await body.ReadAsync(aborted);
            var arrived = read.Buffer.Length;
            if (length + arrived > limit)
            {
                body.AdvanceTo(read.Buffer.End);
                return (bytes, length + arrived);
            }

            if (length + arrived > bytes.Length)
            {
                var larger = announced is { } whole ? Math.Min(whole, 16L * bytes.Length) : 2L * bytes.Length;
                Array.Resize(ref bytes, (int)Math.Min(Math.Max(larger, length + arrived), limit));
            }

            read.Buffer.CopyTo(bytes.AsSpan((int)length));
            length += arrived;
            body.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return (bytes, length);
            }
        }
    }

    private static async ValueTask<RequestBody> ReadFormAsync(IFormCollection form, string? antiforgeryToken, long limit, CancellationToken aborted)
    {
        const byte Field = 1;
        const byte File = 2;
        using var bytes = new MemoryStream();
        long content = 0; // without the prefixes: never more than what was sent
        foreach (var (name, values) in form)
        {
            if (name.Equals(antiforgeryToken, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            foreach (var value in values)
            {
                bytes.WriteByte(Field);
                WritePart(name);
                WritePart(value ?? "");
            }
        }

        foreach (var file in form.Files)
        {
            content += file.Length;
            if (content > limit)
            {
                return new RequestBody(default, isParsedForm: true, isTooLarge: true);
            }

            bytes.WriteByte(File);
            WritePart(file.Name);
            WritePart(file.FileName);
            WritePart(file.ContentType ?? "");
            WriteLength(file.Length);
            using var sent = file.OpenReadStream();
            await sent.CopyToAsync(bytes, aborted);
        }

        return content > limit
            ? new RequestBody(default, isParsedForm: true, isTooLarge: true)
            : new RequestBody(bytes.ToArray(), isParsedForm: true);

        void WritePart(string text)
        {
            var utf8 = Encoding.UTF8.GetBytes(text);
            content += utf8.Length;
            WriteLength(utf8.Length);
            bytes.Write(utf8);
        }

        void WriteLength(long length)
        {
            Span<byte> prefix = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(prefix, length);
            bytes.Write(prefix);
        }
    }
}
