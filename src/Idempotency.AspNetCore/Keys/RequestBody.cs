using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore;

/// <summary>The body of a request. It is read to its end before anything is claimed, and is then available to the handler.</summary>
internal readonly struct RequestBody
{
    /// <summary>From this size on, the body of a replay is read into a pooled array. For a smaller one, an array of its own costs no more than the pool.</summary>
    public const int PooledFrom = 4096;

    // The array with the bytes, if they were read from the connection and the handler must read them from here.
    private readonly byte[]? _taken;

    // The position of a body that can be read again.
    private readonly long? _position;

    private RequestBody(ReadOnlyMemory<byte> bytes, byte[]? taken = null, bool isRented = false, long? position = null, bool isParsedForm = false, bool isTooLarge = false)
    {
        Bytes = bytes;
        _taken = taken;
        IsRented = isRented;
        _position = position;
        IsParsedForm = isParsedForm;
        IsTooLarge = isTooLarge;
    }

    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Whether the bytes are in a pooled array: <see cref="Return"/> ends their life.</summary>
    public bool IsRented { get; }

    /// <summary>Whether the bytes are not the body as sent, but what earlier middleware parsed from it.</summary>
    public bool IsParsedForm { get; }

    /// <summary>Whether the body exceeds the limit; then nothing else is known about it.</summary>
    public bool IsTooLarge { get; }

    /// <summary>Reads the body. Before a handler runs, <see cref="GiveBackTo"/> must restore it.</summary>
    /// <remarks>
    /// <para>The handler gets a copy in memory instead of the connection: a disconnect of the client then takes nothing from it, and no server
    /// limit on unread data (or HTTP/2 window) interferes. The array of a handler is not pooled, because it can hold the stream longer than the request.</para>
    /// <para>An error while reading (the client disconnected, or a limit of the server) is an <see cref="IOException"/>, and nothing is claimed yet.</para>
    /// </remarks>
    /// <param name="context">The request.</param>
    /// <param name="limit">The largest body, in bytes.</param>
    /// <param name="isForReplay">Whether no handler is expected to get the body: the array is then pooled, for <see cref="Return"/>. If a handler gets it after all, it gets a copy.</param>
    public static ValueTask<RequestBody> ReadAsync(HttpContext context, long limit, bool isForReplay = false)
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

        // Antiforgery, for example, reads forms before this middleware can: the stream is at its end, and only the form identifies the request.
        return AntiforgeryCheck.FormOf(context) is { } form
            ? ReadFormAsync(form, AntiforgeryCheck.TokenFieldOf(context), limit, context.RequestAborted)
            : TryReadArrived(request, announced, limit, isForReplay, out var body) ? ValueTask.FromResult(body)
            : BufferAsync(request, limit, isForReplay, context.RequestAborted);
    }

    /// <summary>Reads a body that arrived with the headers, as most do: there is nothing to wait for, so no state machine is needed, and no token of the server.</summary>
    private static bool TryReadArrived(HttpRequest request, long? announced, long limit, bool isForReplay, out RequestBody body)
    {
        body = default;
        // A body without a length seldom ends where it stands. A client that waits for 100 Continue gets it from the reader's asynchronous methods.
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
            reader.AdvanceTo(read.Buffer.Start); // as if it had not been examined
            return false;
        }

        var length = (int)read.Buffer.Length;
        var bytes = NewArray(length, isForReplay);
        read.Buffer.CopyTo(bytes);
        reader.AdvanceTo(read.Buffer.End);
        body = new RequestBody(bytes.AsMemory(0, length), taken: bytes, isRented: IsFromPool(bytes, isForReplay));
        return true;
    }

    /// <summary>Restores the body as it was before; also again, for a handler that runs again.</summary>
    public void GiveBackTo(HttpContext context)
    {
        if (_taken is not null)
        {
            // A pooled array has bytes of other requests behind the body. A handler gets this body only if its response was at hand and is no longer.
            BufferedBody.Install(context, IsRented ? Bytes.ToArray() : _taken, Bytes.Length);
        }
        else if (_position is { } position)
        {
            try
            {
                context.Request.Body.Position = position; // a handler that runs again reads it again
            }
            catch (Exception gone) when (gone is ObjectDisposedException or NotSupportedException or IOException)
            {
                // The first run closed it.
                BufferedBody.Install(context, Bytes.ToArray(), Bytes.Length);
                context.Request.Body.Position = position;
            }
        }
    }

    /// <summary>Returns the array to the pool if it is from there. Only for a body that was never given back, and that nothing reads any more.</summary>
    public void Return()
    {
        if (IsRented)
        {
            ArrayPool<byte>.Shared.Return(_taken!);
        }
    }

    private static bool IsFromPool(byte[] array, bool isForReplay) => isForReplay && array.Length >= PooledFrom;

    private static byte[] NewArray(int length, bool isForReplay) =>
        isForReplay && length >= PooledFrom ? ArrayPool<byte>.Shared.Rent(length) : GC.AllocateUninitializedArray<byte>(length);

    private static async ValueTask<RequestBody> BufferAsync(HttpRequest request, long limit, bool isForReplay, CancellationToken aborted)
    {
        // With the reader: data that earlier middleware examined without consuming is still in it, and not in the stream.
        var (bytes, length) = await ReadToEndAsync(request.BodyReader, request.ContentLength, limit, isForReplay, aborted);
        if (length > limit)
        {
            return new RequestBody(default, isTooLarge: true);
        }

        return new RequestBody(bytes.AsMemory(0, (int)length), taken: bytes, isRented: IsFromPool(bytes, isForReplay));
    }

    /// <summary>Reads a body that earlier middleware made seekable (<c>EnableBuffering</c>): from its start, and restores its position.</summary>
    private static async ValueTask<RequestBody> RewindAsync(HttpRequest request, long limit, CancellationToken aborted)
    {
        var body = request.Body;
        var position = body.Position;
        body.Position = 0;
        var reader = PipeReader.Create(body, new StreamPipeReaderOptions(leaveOpen: true));
        var (bytes, length) = await ReadToEndAsync(reader, request.ContentLength, limit, isForReplay: false, aborted);
        await reader.CompleteAsync();
        body.Position = position;
        return length > limit
            ? new RequestBody(default, isTooLarge: true)
            : new RequestBody(bytes.AsMemory(0, (int)length), position: position);
    }

    private static async ValueTask<(byte[] Bytes, long Length)> ReadToEndAsync(PipeReader body, long? announced, long limit, bool isForReplay, CancellationToken aborted)
    {
        // Room for what was announced, but never more than 16 times what has really arrived: an announcement is cheap to make.
        var bytes = NewArray((int)Math.Min(announced ?? 4096, 64 * 1024), isForReplay);
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
                var grown = NewArray((int)Math.Min(Math.Max(larger, length + arrived), limit), isForReplay);
                bytes.AsSpan(0, (int)length).CopyTo(grown);
                if (IsFromPool(bytes, isForReplay))
                {
                    ArrayPool<byte>.Shared.Return(bytes);
                }

                bytes = grown;
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
        long content = 0; // without the length prefixes: never more than was sent
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
