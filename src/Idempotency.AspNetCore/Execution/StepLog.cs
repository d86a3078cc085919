using System.Buffers.Binary;

namespace Idempotency.AspNetCore;

/// <summary>The steps of a run, as stored in a record in progress.</summary>
/// <remarks>
/// <para>The format, version 1. Numbers are little-endian; a varint has seven bits a byte, low ones first; a text is a varint length and UTF-8.</para>
/// <code>
/// 1 byte    format version: 65, which neither a StoredResponse (1) nor a StoredResult (129) begins with
/// varint    version of the steps: one more with each save, over all attempts
/// varint    number of steps, then for each, in the order in which they were recorded:
///   text      name
///   1 byte    state: 1 begun, 2 recorded
///   varint    attempt that recorded it
///   8 bytes   when, in milliseconds since 1970 UTC
///   varint    length of the result
///   bytes     the result, a StoredResult; none while the step has only begun
/// 4 bytes   CRC-32C of all that comes before
/// </code>
/// <para>For an unknown version, an unknown state or a wrong checksum, a reader returns a reason instead of steps: they stand for effects, and nothing runs again because they could not be read.</para>
/// </remarks>
internal static class StepLog
{
    private const byte Version = 65;

    // The maximum size of a step without its name and its result.
    private const int MostPerStep = 5 + 1 + 5 + sizeof(long) + 5;

    /// <summary>The maximum size of a step without a result, in bytes: a name has at most 100 characters, and a result that was not recorded takes seven bytes.</summary>
    public const int MostWithoutResult = MostPerStep + 300 + 16;

    /// <summary>The maximum size of steps, in bytes.</summary>
    public static int SizeOf(IReadOnlyCollection<Step> steps) => 1 + 5 + 5 + RecordBytes.ChecksumSize + steps.Sum(static step => MostPerStep + (3 * step.Name.Length) + step.Result.Length);

    public static byte[] Encode(int version, IReadOnlyCollection<Step> steps)
    {
        var log = new PooledBytes(SizeOf(steps));
        try
        {
            log.Add(Version);
            log.AddVarint(version);
            log.AddVarint(steps.Count);
            foreach (var step in steps)
            {
                log.AddText(step.Name);
                log.Add((byte)step.State);
                log.AddVarint(step.Attempt);
                BinaryPrimitives.WriteInt64LittleEndian(log.Room(sizeof(long)), step.At.ToUnixTimeMilliseconds());
                log.Advance(sizeof(long));
                log.AddVarint(step.Result.Length);
                log.Add(step.Result.Span);
            }

            return RecordBytes.Seal(log.Written, []);
        }
        finally
        {
            log.Dispose();
        }
    }

    /// <summary>Reads steps, or returns the reason why they cannot be read.</summary>
    public static IReadOnlyList<Step>? Decode(ReadOnlyMemory<byte> data, out int version, out string reason)
    {
        var bytes = data.Span;
        version = 0;
        reason = "";
        if (bytes.IsEmpty)
        {
            return [];
        }

        if (bytes[0] != Version)
        {
            reason = $"the format version of its steps is {bytes[0]}, and this library reads version {Version}";
            return null;
        }

        reason = "its steps are damaged";
        if (!RecordBytes.IsSealed(bytes))
        {
            return null;
        }

        var reader = new RecordReader(bytes[1..^RecordBytes.ChecksumSize]);
        if (!reader.TryVarint(out version) || version == 0 || !reader.TryVarint(out var count) || count > reader.Left)
        {
            return null;
        }

        var steps = new Step[count];
        for (var i = 0; i < steps.Length; i++)
        {
            if (!reader.TryText(out var name) || !reader.TryByte(out var state) || !reader.TryVarint(out var attempt) || !reader.TryInt64(out var at)
                || !reader.TryVarint(out var length) || length > reader.Left
                || state is not ((byte)StepState.Begun or (byte)StepState.Recorded) || at is < 0 or > 253402300799999)
            {
                return null;
            }

            var start = bytes.Length - RecordBytes.ChecksumSize - reader.Left;
            steps[i] = new Step(name, (StepState)state, attempt, DateTimeOffset.FromUnixTimeMilliseconds(at), data.Slice(start, length));
            reader.Skip(length);
        }

        if (reader.Left > 0)
        {
            return null;
        }

        reason = "";
        return steps;
    }
}
