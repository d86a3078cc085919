using System.Text;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The bytes that outlive releases.</summary>
public sealed class RecordFormatTests
{
    private static readonly StoredHeader[] Headers =
    [
        new("Content-Type", "application/json", IsAppended: false),
        new("Link", new StringValues(["<1>", "<2>", ""]), IsAppended: true),
        new("X-Removed", StringValues.Empty, IsAppended: false),
        new("X-Text", "ä€😀", IsAppended: false),
    ];

    [Theory]
    [InlineData("", false)]
    [InlineData("{\"a\":1}", false)]
    [InlineData("compressible", true)]
    public void What_is_written_is_read(string seed, bool repeat)
    {
        var body = Encoding.UTF8.GetBytes(repeat ? string.Concat(Enumerable.Repeat(seed, 1000)) : seed);
        var payload = StoredResponse.Encode(201, "Made", Headers, body, compressFrom: 100);
        var read = StoredResponse.Decode(payload, out var reason);
        Assert.NotNull(read);
        Assert.Equal("", reason);
        Assert.Equal(201, read.Status);
        Assert.Equal("Made", read.ReasonPhrase);
        Assert.Equal(body, read.Body.ToArray());
        Assert.True(read.IsBodyKept);
        Assert.Equal(Headers.Length, read.Headers.Count);
        foreach (var (expected, actual) in Headers.Zip(read.Headers))
        {
            Assert.Equal(expected.Name, actual.Name);
            Assert.Equal(expected.IsAppended, actual.IsAppended);
            Assert.Equal(expected.Values.ToArray(), actual.Values.ToArray());
        }

        Assert.Equal(repeat, payload.Length < body.Length);
    }

    [Fact]
    public void Without_its_body_it_says_so()
    {
        var read = StoredResponse.Decode(StoredResponse.Encode(200, null, [], null, 100), out _);
        Assert.False(read!.IsBodyKept);
    }

    [Fact]
    public void The_golden_record_of_version_1_is_read_and_written_as_ever()
    {
        // Written by the first release. A change that breaks this breaks records that customers have.
        var golden = Convert.FromHexString(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", "record-v1.hex")).Trim());
        var read = StoredResponse.Decode(golden, out _)!;
        Assert.Equal((201, "", "{\"id\":1}"), (read.Status, read.ReasonPhrase, Encoding.UTF8.GetString(read.Body.Span)));
        Assert.Equal("application/json", read.Header("content-type").ToString());
        Assert.Equal(new StringValues(["<1>", "<2>"]), read.Header("Link"));
        Assert.Equal(golden, StoredResponse.Encode(201, null, [new("Content-Type", "application/json", false), new("Link", new StringValues(["<1>", "<2>"]), true)], "{\"id\":1}"u8.ToArray(), 1024));

        var compressed = Convert.FromHexString(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", "record-v1-compressed.hex")).Trim());
        Assert.Equal(new string('x', 3000), Encoding.UTF8.GetString(StoredResponse.Decode(compressed, out _)!.Body.Span));
    }

    [Fact]
    public void Every_flipped_bit_and_every_cut_is_noticed()
    {
        var payload = StoredResponse.Encode(200, null, Headers, Encoding.UTF8.GetBytes(new string('x', 300)), compressFrom: 1000);
        for (var i = 0; i < payload.Length; i++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                var damaged = payload.ToArray();
                damaged[i] ^= (byte)(1 << bit);
                Assert.Null(StoredResponse.Decode(damaged, out var reason));
                Assert.NotEmpty(reason);
            }

            Assert.Null(StoredResponse.Decode(payload.AsMemory(0, i), out _));
        }

        Assert.Null(StoredResponse.Decode((byte[])[.. payload, 0], out _));
    }

    [Fact]
    public void Gibberish_is_refused_without_an_exception()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(0, 200)];
            random.NextBytes(bytes);
            if (bytes.Length > 8)
            {
                // The right version and checksum, so that what is inside is read.
                bytes[0] = 1;
                bytes[1] &= 3;
                Seal(bytes);
            }

            var read = StoredResponse.Decode(bytes, out var reason);
            Assert.True(read is not null || reason.Length > 0, $"seed {seed}");
        }
    }

    [Fact]
    public void A_newer_version_is_named()
    {
        Assert.Null(StoredResponse.Decode(new byte[] { 9, 0, 0 }, out var reason));
        Assert.Contains("9", reason, StringComparison.Ordinal);
    }

    private static void Seal(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes.AsSpan(0, bytes.Length - 4))
        {
            crc = System.Numerics.BitOperations.Crc32C(crc, value);
        }

        BitConverter.TryWriteBytes(bytes.AsSpan(bytes.Length - 4), ~crc);
    }

    [Fact]
    public void The_lowest_and_the_highest_status_are_read()
    {
        foreach (var status in new[] { 100, 999 })
        {
            Assert.Equal(status, StoredResponse.Decode(StoredResponse.Encode(status, null, [], null, 100), out _)?.Status);
        }

        foreach (var status in new[] { 99, 1000 })
        {
            Assert.Null(StoredResponse.Decode(StoredResponse.Encode(status, null, [], null, 100), out _));
        }
    }

    [Fact]
    public void What_is_sealed_and_too_short_is_refused()
    {
        for (var length = 1; length <= 5; length++)
        {
            Assert.Null(StoredResponse.Decode(RecordBytes.Seal(new byte[] { 1, 0, 200, 0, 0 }.AsSpan(0, length), []), out var reason));
            Assert.NotEqual("", reason);
        }
    }
}
