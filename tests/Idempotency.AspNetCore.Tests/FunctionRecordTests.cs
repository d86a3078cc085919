using System.Text;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The bytes of functions' results, and of their stored keys, which outlive releases.</summary>
public sealed class FunctionRecordTests
{
    private static byte[] Golden(string name) => Convert.FromHexString(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", name)).Trim());

    [Theory]
    [InlineData("1", false)]
    [InlineData("null", false)]
    [InlineData("\"compressible\"", true)]
    public void What_is_written_is_read(string seed, bool repeat)
    {
        var json = Encoding.UTF8.GetBytes(repeat ? string.Concat(Enumerable.Repeat(seed, 1000)) : seed);
        var payload = StoredResult.Encode(json, compressFrom: 100);
        var read = StoredResult.Decode(payload, out var reason);
        Assert.NotNull(read);
        Assert.Equal("", reason);
        Assert.Equal(ResultKind.Json, read.Kind);
        Assert.Equal(json, read.Json.ToArray());
        Assert.Equal(repeat, payload.Length < json.Length);
    }

    [Fact]
    public void The_golden_records_of_version_1_are_read_and_written_as_ever()
    {
        // Written by the first release. A change that breaks this breaks records that customers have.
        foreach (var (kind, hex) in new[] { (ResultKind.None, "result-v1-none.hex"), (ResultKind.Null, "result-v1-null.hex"), (ResultKind.NotKept, "result-v1-not-kept.hex") })
        {
            Assert.Equal(kind, StoredResult.Decode(Golden(hex), out _)!.Kind);
            Assert.Equal(Golden(hex), StoredResult.Encode(kind));
        }

        Assert.Equal("{\"Id\":\"r-1\"}", Encoding.UTF8.GetString(StoredResult.Decode(Golden("result-v1.hex"), out _)!.Json.Span));
        Assert.Equal(Golden("result-v1.hex"), StoredResult.Encode("{\"Id\":\"r-1\"}"u8, 1024));
        Assert.Equal($"\"{new string('x', 3000)}\"", Encoding.UTF8.GetString(StoredResult.Decode(Golden("result-v1-compressed.hex"), out _)!.Json.Span));
    }

    [Fact]
    public void Stored_keys_and_fingerprints_are_what_they_have_been()
    {
        // As above: with another layout every call in customers' stores would be a stranger.
        Assert.Equal("41a654c31905c1ced0f7035c2adf45878104d9176f2bf1012b2d50fccad69c97", FunctionIdentity.StoreKeyOf("payouts", "key-1", null).ToString());
        Assert.Equal("1f442a17327e4ffc0520495491376f8d8291544f6f2f74cfcd231ce564a77218", FunctionIdentity.StoreKeyOf("payouts", "key-1", "tenant-1").ToString());
        Assert.Equal("b2286032dc3370c46efe9266d3264ffaa5d1d4262cbb472da491ceb5a67379f5", FunctionIdentity.StoreKeyOf("payouts", IdempotentPayload.OfJson("{}"u8), null).ToString());
        Assert.Equal("6ccbfecfc5916c8c77962de18516c9043374df2beb3b77c23debd7728491794f", FunctionIdentity.FingerprintOf(IdempotentPayload.OfJson("{}"u8), new IdempotencyPolicy()).ToString());
        Assert.Equal(default, FunctionIdentity.FingerprintOf(null, new IdempotencyPolicy()));
    }

    [Fact]
    public void Neither_reader_takes_the_others_record_for_its_own()
    {
        Assert.Null(StoredResult.Decode(StoredResponse.Encode(200, null, [], "1"u8.ToArray(), 1024), out var reason));
        Assert.Contains("version is 1,", reason, StringComparison.Ordinal);
        Assert.Null(StoredResponse.Decode(StoredResult.Encode("1"u8, 1024), out reason));
        Assert.Contains("version is 129,", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_flipped_bit_and_every_cut_is_noticed()
    {
        foreach (var payload in new[] { StoredResult.Encode(Encoding.UTF8.GetBytes(new string('1', 300)), 1000), StoredResult.Encode(ResultKind.Null) })
        {
            for (var i = 0; i < payload.Length; i++)
            {
                for (var bit = 0; bit < 8; bit++)
                {
                    var damaged = payload.ToArray();
                    damaged[i] ^= (byte)(1 << bit);
                    Assert.Null(StoredResult.Decode(damaged, out var reason));
                    Assert.NotEmpty(reason);
                }

                Assert.Null(StoredResult.Decode(payload.AsMemory(0, i), out _));
            }

            Assert.Null(StoredResult.Decode((byte[])[.. payload, 0], out _));
        }
    }

    [Fact]
    public void A_kind_that_is_not_known_is_named()
    {
        Assert.Null(StoredResult.Decode(RecordBytes.Seal([0x81, 77, 0], []), out var reason));
        Assert.Contains("77", reason, StringComparison.Ordinal);
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
            if (bytes.Length > 4)
            {
                // The right version and checksum, so that what is inside is read; lengths that fit, or nearly.
                bytes[0] = 0x81;
                bytes[1] = (byte)random.Next(0, 6);
                bytes[2] = (byte)random.Next(0, 200);
                bytes = RecordBytes.Seal(bytes, []);
            }

            var read = StoredResult.Decode(bytes, out var reason);
            Assert.True(read is not null || reason.Length > 0, $"seed {seed}");
        }
    }

    [Fact]
    public void What_is_sealed_and_makes_no_sense_is_refused()
    {
        foreach (byte[] content in new byte[][] { [0x81], [0x81, (byte)ResultKind.None], [0x81, (byte)ResultKind.None, 1, 7] }) // without a kind; without a length; and content where there is none
        {
            Assert.Null(StoredResult.Decode(RecordBytes.Seal(content, []), out var reason));
            Assert.NotEqual("", reason);
        }
    }
}
