using System.Text;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The bytes of recorded steps, which outlive releases.</summary>
public sealed class StepFormatTests
{
    private static readonly DateTimeOffset At = new(2026, 11, 28, 12, 0, 0, 250, TimeSpan.Zero);

    private static readonly Step[] Steps =
    [
        new("charge", StepState.Recorded, 1, At, StoredResult.Encode("{\"Id\":\"r-1\"}"u8, 1024)),
        new("größe-€", StepState.Recorded, 300, At.AddHours(1), StoredResult.Encode(ResultKind.None)),
        new("mail", StepState.Begun, 300, At.AddHours(2), default),
    ];

    [Fact]
    public void The_golden_steps_of_version_1_are_read_and_written_as_ever()
    {
        // Written by the first release with steps. A change that breaks this breaks records that customers have.
        var golden = Convert.FromHexString(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", "steps-v1.hex")).Trim());
        AssertSame(golden, 200);
        Assert.Equal(Convert.ToHexStringLower(golden), Convert.ToHexStringLower(StepLog.Encode(200, Steps)));
    }

    [Fact]
    public void What_is_written_is_read()
    {
        AssertSame(StepLog.Encode(int.MaxValue, Steps), int.MaxValue);
        Assert.Equal([], StepLog.Decode(default, out _, out _)!);
        Assert.Equal([], StepLog.Decode(StepLog.Encode(1, []), out _, out _)!); // a mark alone
    }

    [Fact]
    public void Every_flipped_bit_and_every_cut_is_noticed()
    {
        var payload = StepLog.Encode(3, Steps);
        for (var i = 0; i < payload.Length; i++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                var damaged = payload.ToArray();
                damaged[i] ^= (byte)(1 << bit);
                Assert.Null(StepLog.Decode(damaged, out _, out var reason));
                Assert.NotEmpty(reason);
            }

            if (i > 0) // no byte at all: no steps
            {
                Assert.Null(StepLog.Decode(payload.AsMemory(0, i), out _, out _));
            }
        }

        Assert.Null(StepLog.Decode((byte[])[.. payload, 0], out _, out _));
    }

    [Fact]
    public void Gibberish_is_rejected_without_an_exception()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(1, 200)];
            random.NextBytes(bytes);
            if (bytes.Length > 4)
            {
                // The right version and checksum, so that what is inside is read; numbers that fit, or nearly.
                bytes[0] = 65;
                bytes[1] &= 127;
                bytes[2] = (byte)random.Next(0, 4);
                bytes[3] = (byte)random.Next(0, 8);
                bytes = RecordBytes.Seal(bytes, []);
            }

            var read = StepLog.Decode(bytes, out _, out var reason);
            Assert.True(read is not null || reason.Length > 0, $"seed {seed}");
        }
    }

    [Fact]
    public void A_newer_version_is_named_and_no_reader_takes_the_records_of_another()
    {
        Assert.Null(StepLog.Decode(new byte[] { 66, 0, 0 }, out _, out var reason));
        Assert.Contains("66", reason, StringComparison.Ordinal);
        var steps = StepLog.Encode(1, Steps);
        Assert.Null(StoredResponse.Decode(steps, out _));
        Assert.Null(StoredResult.Decode(steps, out _));
        Assert.Null(StepLog.Decode(StoredResponse.Encode(200, null, [], "1"u8.ToArray(), 1024), out _, out _));
        Assert.Null(StepLog.Decode(StoredResult.Encode(ResultKind.Null), out _, out _));
    }

    private static void AssertSame(ReadOnlyMemory<byte> payload, int version)
    {
        var read = StepLog.Decode(payload, out var readVersion, out var reason);
        Assert.NotNull(read);
        Assert.Equal(("", version), (reason, readVersion));
        Assert.Equal(Steps.Select(Text), read.Select(Text));
    }

    private static string Text(Step step) => $"{step.Name} {step.State} {step.Attempt} {step.At:O} {Encoding.Latin1.GetString(step.Result.Span)}";

    [Fact]
    public void Their_size_is_never_more_than_was_reckoned_with()
    {
        Assert.InRange(StepLog.Encode(int.MaxValue, []).Length, 1, StepLog.SizeOf([]));
        Step[] steps = [.. Enumerable.Range(1, 5).Select(static number => new Step(new string('€', 20 * number), StepState.Recorded, int.MaxValue, DateTimeOffset.MaxValue, new byte[300 * number]))];
        var size = StepLog.Encode(int.MaxValue, steps).Length;
        Assert.InRange(StepLog.SizeOf(steps), size, size + 100);
    }

    [Fact]
    public void The_first_and_the_last_moment_are_read()
    {
        Step[] steps = [new("first", StepState.Begun, 1, DateTimeOffset.UnixEpoch, default), new("last", StepState.Begun, 1, DateTimeOffset.FromUnixTimeMilliseconds(253402300799999), default)];
        var read = StepLog.Decode(StepLog.Encode(1, steps), out _, out _);
        Assert.Equal(steps.Select(static step => step.At), read?.Select(static step => step.At));
    }

    [Fact]
    public void What_is_sealed_and_makes_no_sense_is_rejected()
    {
        foreach (byte[] content in new byte[][] { [65], [65, 0, 0], [65, 1], [65, 1, 1], [65, 1, 0, 7] }) // nothing; no version; no number of steps; no step; and something after the last
        {
            Assert.Null(StepLog.Decode(RecordBytes.Seal(content, []), out _, out var reason));
            Assert.NotEqual("", reason);
        }
    }
}
