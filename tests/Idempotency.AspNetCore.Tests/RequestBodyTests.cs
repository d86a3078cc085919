using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Mvc;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The handler reads the body as if nobody had before it.</summary>
public sealed class RequestBodyTests
{
    private const int Limit = 300_000;

    public static TheoryData<int, bool, bool> Sizes()
    {
        var sizes = new TheoryData<int, bool, bool>();
        foreach (var size in new[] { 0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 200_000, Limit - 1, Limit })
        {
            sizes.Add(size, true, false);
            sizes.Add(size, false, false);
            sizes.Add(size, true, true);
            sizes.Add(size, false, true);
        }

        return sizes;
    }

    private static Task<Api> StartAsync(bool http2 = false) => Api.StartAsync(
        app =>
        {
            var policy = new IdempotencyPolicy { MaxRequestBodySize = Limit };
            app.MapPost("/body", async (HttpContext context) =>
            {
                using var copy = new MemoryStream();
                await context.Request.Body.CopyToAsync(copy);
                return Results.Bytes(SHA256.HashData(copy.ToArray()));
            }).WithIdempotency(policy);
            app.MapPost("/reader", async (HttpContext context) =>
            {
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                while (true)
                {
                    var read = await context.Request.BodyReader.ReadAsync();
                    foreach (var piece in read.Buffer)
                    {
                        hash.AppendData(piece.Span);
                    }

                    context.Request.BodyReader.AdvanceTo(read.Buffer.End);
                    if (read.IsCompleted)
                    {
                        return Results.Bytes(hash.GetHashAndReset());
                    }
                }
            }).WithIdempotency(policy);
            app.MapPost("/form", (HttpContext context) => context.Request.Form["name"] + "/" + context.Request.Form.Files.Sum(file => file.Length)).WithIdempotency(policy).DisableAntiforgery();
            app.MapPost("/bound", (Bound bound) => bound.Name).WithIdempotency(policy);
            app.MapPost("/bound-form", ([FromForm] string name, IFormFile file) => name + "/" + file.Length).WithIdempotency(policy).DisableAntiforgery();
            app.MapPost("/twice", async (HttpContext context) =>
            {
                context.Request.EnableBuffering();
                using var reader = new StreamReader(context.Request.Body, leaveOpen: true);
                var once = await reader.ReadToEndAsync();
                context.Request.Body.Position = 0;
                return once + await new StreamReader(context.Request.Body).ReadToEndAsync();
            }).WithIdempotency(policy);
            app.MapControllers();
        },
        services: services => services.AddControllers().AddApplicationPart(typeof(RequestBodyTests).Assembly),
        kestrel: true,
        host: http2 ? DisconnectTests.Http2 : null);

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task Of_any_size_up_to_the_limit(int size, bool withLength, bool http2)
    {
        await using var api = await StartAsync(http2);
        var body = new byte[size];
        new Random(size).NextBytes(body);
        foreach (var path in new[] { "/body", "/reader" })
        {
            for (var i = 0; i < 2; i++)
            {
                var request = Api.Request(path, json: null);
                request.Content = new ByteArrayContent(body);
                if (!withLength)
                {
                    request.Content = new Chunked(body);
                }

                request = http2 ? DisconnectTests.AsHttp2(request) : request;
                using var response = await api.Client.SendAsync(request);
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                Assert.Equal(SHA256.HashData(body), await response.BytesAsync());
                Assert.Equal(i == 1, response.IsReplay());
            }
        }
    }

    public static TheoryData<string, Func<HttpContext, Task<string>>> WaysToRead() => new()
    {
        {
            "the reader first, then the stream", async context =>
            {
                var reader = context.Request.BodyReader;
                var read = await reader.ReadAsync();
                reader.AdvanceTo(read.Buffer.GetPosition(3), read.Buffer.End);
                return "abc+" + await new StreamReader(context.Request.Body).ReadToEndAsync();
            }
        },
        {
            "the stream first, then the reader", async context =>
            {
                var start = new byte[3];
                await context.Request.Body.ReadExactlyAsync(start);
                var read = await context.Request.BodyReader.ReadAsync();
                return Encoding.ASCII.GetString(start) + "+" + Encoding.ASCII.GetString(read.Buffer);
            }
        },
        {
            "what was examined and not consumed, again", async context =>
            {
                var reader = context.Request.BodyReader;
                var read = await reader.ReadAsync();
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                Assert.True(reader.TryRead(out read));
                reader.AdvanceTo(read.Buffer.GetPosition(3));
                read = await reader.ReadAtLeastAsync(100);
                Assert.True(read.IsCompleted);
                return "abc+" + Encoding.ASCII.GetString(read.Buffer);
            }
        },
        {
            "a cancelled read, and then one that is not", async context =>
            {
                var reader = context.Request.BodyReader;
                reader.CancelPendingRead();
                var read = await reader.ReadAsync();
                Assert.True(read.IsCanceled);
                reader.AdvanceTo(read.Buffer.GetPosition(3));
                read = await reader.ReadAsync();
                Assert.False(read.IsCanceled);
                await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await reader.ReadAsync(new CancellationToken(canceled: true)));
                var rest = Encoding.ASCII.GetString(read.Buffer);
                await reader.CompleteAsync();
                await Assert.ThrowsAsync<InvalidOperationException>(async () => await reader.ReadAsync());
                return "abc+" + rest;
            }
        },
        {
            "a copy of the reader", async context =>
            {
                using var copy = new MemoryStream();
                await context.Request.BodyReader.CopyToAsync(copy);
                return Encoding.ASCII.GetString(copy.ToArray()).Insert(3, "+");
            }
        },
        {
            "the reader of a stream that was put around it", async context =>
            {
                var inner = context.Request.Body;
                context.Request.Body = new System.Security.Cryptography.CryptoStream(inner, new Upper(), CryptoStreamMode.Read, leaveOpen: true);
                var read = await context.Request.BodyReader.ReadAtLeastAsync(6);
                return Encoding.ASCII.GetString(read.Buffer).ToLowerInvariant().Insert(3, "+");
            }
        },
    };

    [Theory]
    [MemberData(nameof(WaysToRead))]
    public async Task By_stream_and_by_reader_as_one(string way, Func<HttpContext, Task<string>> read)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/read", async (HttpContext context) => await context.Response.WriteAsync(await read(context))).WithIdempotency(), kestrel: true);
        using var response = await api.SendAsync("/read", json: "abcdef");
        Assert.Equal($"{way}: abc+def", $"{way}: {await response.TextAsync()}");
    }

    private sealed class Upper : ICryptoTransform
    {
        public bool CanReuseTransform => true;

        public bool CanTransformMultipleBlocks => true;

        public int InputBlockSize => 1;

        public int OutputBlockSize => 1;

        public int TransformBlock(byte[] inputBuffer, int inputOffset, int inputCount, byte[] outputBuffer, int outputOffset)
        {
            for (var i = 0; i < inputCount; i++)
            {
                outputBuffer[outputOffset + i] = (byte)char.ToUpperInvariant((char)inputBuffer[inputOffset + i]);
            }

            return inputCount;
        }

        public byte[] TransformFinalBlock(byte[] inputBuffer, int inputOffset, int inputCount)
        {
            var output = new byte[inputCount];
            TransformBlock(inputBuffer, inputOffset, inputCount, output, 0);
            return output;
        }

        public void Dispose()
        {
        }
    }

    /// <summary>The body of a replay is read into a pooled array: never into one that other code can still read.</summary>
    [Theory]
    [InlineData(4096)]
    [InlineData(90_000)]
    public async Task A_body_that_a_handler_or_a_replays_authorization_keeps_never_changes(int size)
    {
        var kept = new ConcurrentBag<(byte[] Sent, Stream Body)>();
        var authorizing = new IdempotencyPolicy
        {
            AuthorizeReplay = context =>
            {
                Keep(context);
                return ValueTask.FromResult(true);
            },
        };
        await using var api = await Api.StartAsync(
            app =>
            {
                app.MapPost("/", Keep).WithIdempotency();
                app.MapPost("/authorized", Keep).WithIdempotency(authorizing);
            },
            kestrel: true);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async client =>
        {
            for (var round = 0; round < 10; round++)
            {
                var body = new byte[size + (size / 9 * client)];
                Array.Fill(body, (byte)((10 * client) + round));
                var runs = new HashSet<string>();
                foreach (var path in new[] { "/", "/", "/authorized", "/", "/authorized", "/" })
                {
                    using var response = await api.SendAsync(path, key: $"{client}-{round}", json: null, with: request => request.Content = round % 2 == 0 ? new ByteArrayContent(body) : new Chunked(body));
                    Assert.Equal(HttpStatusCode.OK, response.StatusCode); // 422 if the body that it is compared with had changed
                    Assert.Equal(!runs.Add(path), response.IsReplay());
                }
            }
        }));
        for (var round = 0; round < 10; round++)
        {
            foreach (var (sent, status) in new[] { (round, HttpStatusCode.OK), ((round + 1) % 10, HttpStatusCode.UnprocessableEntity) })
            {
                var body = new byte[size];
                Array.Fill(body, (byte)sent);
                using var response = await api.SendAsync("/", key: $"0-{round}", json: null, with: request => request.Content = new ByteArrayContent(body));
                Assert.Equal(status, response.StatusCode); // what the cache knows of the request has not changed either
            }
        }

        Assert.Equal(4 * 10 * 3, kept.Count);
        foreach (var (sent, body) in kept)
        {
            var read = new MemoryStream();
            body.Position = 0;
            await body.CopyToAsync(read);
            Assert.Equal(sent, read.ToArray());
        }

        void Keep(HttpContext context)
        {
            var read = new MemoryStream();
            context.Request.Body.CopyTo(read);
            kept.Add((read.ToArray(), context.Request.Body));
            Assert.False(((MemoryStream)context.Request.Body).TryGetBuffer(out _)); // behind the body, there can be bytes of another request
        }
    }

    [Fact]
    public async Task The_array_of_a_body_is_used_again_if_only_a_replay_needed_it()
    {
        var reused = 0;
        for (var i = 0; i < 10; i++) // the pool can be trimmed in between
        {
            var (once, array) = await ReadAsync(200_000, isForReplay: true);
            once.Return();
            reused += ReferenceEquals(array, (await ReadAsync(200_000, isForReplay: true)).Array) ? 1 : 0;
        }

        Assert.True(reused > 0);
        foreach (var (length, isForReplay) in new[] { (200_000, false), (4000, true) }) // one for a handler; one that is small
        {
            var (body, own) = await ReadAsync(length, isForReplay);
            body.Return();
            Assert.Equal(length, own.Length);
            Assert.NotSame(own, (await ReadAsync(length, isForReplay)).Array);
        }

        static async ValueTask<(RequestBody Body, byte[] Array)> ReadAsync(int length, bool isForReplay)
        {
            var body = await RequestBody.ReadAsync(Sending(new byte[length]), Limit, isForReplay);
            Assert.True(MemoryMarshal.TryGetArray(body.Bytes, out var array));
            return (body, array.Array!);
        }
    }

    /// <summary>The response was at hand when the request arrived, and is no longer when its body has been read: its retention has ended, or an operator has deleted it.</summary>
    [Fact]
    public async Task A_handler_that_gets_the_body_of_an_expected_replay_gets_a_copy()
    {
        var sent = new byte[5000];
        Random.Shared.NextBytes(sent);
        var context = Sending(sent);
        var body = await RequestBody.ReadAsync(context, Limit, isForReplay: true);
        Assert.True(body.IsRented);
        body.GiveBackTo(context);
        var read = await context.Request.BodyReader.ReadAsync(TestContext.Current.CancellationToken);
        Assert.True(SequenceMarshal.TryGetArray(read.Buffer, out var array));
        Assert.Equal(sent, array.Array); // nothing of another request behind it
        body.Return();
    }

    private static DefaultHttpContext Sending(byte[] body)
    {
        var context = new DefaultHttpContext();
        context.Request.ContentLength = body.Length;
        context.Request.Body = PipeReader.Create(new ReadOnlySequence<byte>(body)).AsStream();
        return context;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Over_the_limit_it_is_413_before_any_claim(bool withLength)
    {
        await using var api = await StartAsync();
        var request = Api.Request("/body", json: null);
        request.Content = withLength ? new ByteArrayContent(new byte[Limit + 1]) : new Chunked(new byte[Limit + 1]);
        using var response = await api.Client.SendAsync(request);
        await response.AssertProblemAsync(413, "idempotency-body-too-large", "no");
        Assert.Equal(0, api.Store.AllCalls);
    }

    [Fact]
    public async Task Forms_and_bound_parameters()
    {
        await using var api = await StartAsync();
        foreach (var path in new[] { "/form", "/bound-form" })
        {
            for (var i = 0; i < 2; i++)
            {
                using var response = await api.SendAsync(path, json: null, with: request => request.Content = new MultipartFormDataContent("same") { { new StringContent("ann"), "name" }, { new ByteArrayContent(new byte[1000]), "file", "f.bin" } });
                Assert.Equal("ann/1000", await response.TextAsync());
                Assert.Equal(i == 1, response.IsReplay());
            }
        }

        using var encoded = await api.SendAsync("/form", key: "other", json: null, with: request => request.Content = new FormUrlEncodedContent([new("name", "bob")]));
        Assert.Equal("bob/0", await encoded.TextAsync());
        using var bound = await api.SendAsync("/bound", json: """{"name":"eve"}""");
        Assert.Equal("eve", await bound.TextAsync());
        using var mvc = await api.SendAsync("/mvc/bound", json: """{"name":"mallory"}""");
        using var mvcReplay = await api.SendAsync("/mvc/bound", json: """{"name":"mallory"}""");
        Assert.Equal("mallory", await mvc.TextAsync());
        Assert.True(mvcReplay.IsReplay());
        using var twice = await api.SendAsync("/twice", json: "{}");
        Assert.Equal("{}{}", await twice.TextAsync());
    }

    [Fact]
    public async Task A_body_that_was_buffered_and_read_before_is_read_from_its_start_and_put_back()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (HttpContext context) => context.Request.Body.Position).WithIdempotency(),
            outer: app => app.Use(async (context, next) =>
            {
                context.Request.EnableBuffering();
                await context.Request.Body.ReadExactlyAsync(new byte[3]);
                await next(context);
            }));
        using var first = await api.SendAsync(json: "{\"a\":1}");
        using var other = await api.SendAsync(json: "{\"a\":2}");
        Assert.Equal("3", await first.TextAsync());
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_that_was_looked_at_before_without_being_consumed_is_whole(bool kestrel)
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", (Bound bound) => bound.Name).WithIdempotency(),
            outer: app => app.Use(async (context, next) =>
            {
                var peeked = await context.Request.BodyReader.ReadAsync();
                context.Request.BodyReader.AdvanceTo(peeked.Buffer.Start, peeked.Buffer.End);
                await next(context);
            }),
            kestrel: kestrel);
        using var first = await api.SendAsync(json: """{"name":"ann"}""");
        using var other = await api.SendAsync(json: """{"name":"bob"}""");
        Assert.Equal("ann", await first.TextAsync());
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Fact]
    public async Task The_servers_own_limit_has_its_own_status()
    {
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => "x").WithIdempotency(),
            outer: app => app.UseExceptionHandler(handler => handler.Run(context => context.Response.WriteAsync("handled"))),
            kestrel: true,
            host: builder => builder.Services.Configure<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions>(server => server.Limits.MaxRequestBodySize = 100));
        using var response = await api.SendAsync(json: null, with: request => request.Content = new Chunked(new byte[300]));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal(0, api.Store.AllCalls);
    }

    [Fact]
    public async Task A_request_without_its_key_is_refused_before_the_client_sends_its_body()
    {
        await using var api = await StartAsync();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, api.Address.Port);
        await socket.SendAsync("POST /body HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"u8.ToArray());
        var buffer = new byte[4096];
        var read = await socket.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.StartsWith("HTTP/1.1 400", Encoding.ASCII.GetString(buffer, 0, read), StringComparison.Ordinal);
    }

    public sealed record Bound(string Name);

    /// <summary>A body that does not say how long it is.</summary>
    private sealed class Chunked(byte[] body) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            for (var i = 0; i < body.Length; i += 10_000)
            {
                await stream.WriteAsync(body.AsMemory(i, Math.Min(10_000, body.Length - i)));
                await stream.FlushAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}

[ApiController]
[Route("mvc/bound")]
[Idempotent]
public sealed class BoundController : ControllerBase
{
    [HttpPost]
    public string Post(RequestBodyTests.Bound bound) => bound.Name;
}
