using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Idempotency.AspNetCore;

/// <summary>The format of a record in Redis: one string, which the scripts compare and cut at these positions.</summary>
/// <remarks>
/// <list type="table">
/// <item><term>0</term><description>version: <c>1</c></description></item>
/// <item><term>1</term><description><c>I</c> in progress, <c>C</c> completed</description></item>
/// <item><term>2</term><description><c>!</c> once irreversible effects may have started, else <c>-</c></description></item>
/// <item><term>3</term><description>attempt, 10 digits</description></item>
/// <item><term>13</term><description>retention, milliseconds, 15 digits</description></item>
/// <item><term>28</term><description>owner, 16 bytes</description></item>
/// <item><term>44</term><description>fingerprint, 32 bytes</description></item>
/// <item><term>76</term><description>when completed: data, to the end. While in progress, with recorded steps: their version, 10 digits, and from 86 their data, at least one byte; without, nothing</description></item>
/// </list>
/// <para>Time is only in the expiry of the key. A completed record lives for its retention; a record in progress for its lease and then its retention, so
/// its lease has ended when no more than the retention is left.</para>
/// </remarks>
internal static class RedisRecord
{
    private const int OwnerLength = 16;

    private const byte Version = (byte)'1';
    private const byte InProgress = (byte)'I';
    private const byte Completed = (byte)'C';
    private const byte Unmarked = (byte)'-';
    private const byte Marked = (byte)'!';

    private const int StatusAt = 1;
    private const int MarkAt = 2;
    private const int AttemptAt = 3;
    private const int RetentionAt = 13;
    private const int OwnerAt = 28;
    private const int FingerprintAt = OwnerAt + OwnerLength;
    private const int HeadLength = FingerprintAt + Sha256Hash.Length;
    private const int StepsAt = HeadLength + 10;

    // The longest time, in milliseconds.
    private const long Longest = long.MaxValue / TimeSpan.TicksPerMillisecond;

    /// <summary>The string that a claim writes.</summary>
    public static byte[] Of(in IdempotencyClaim claim)
    {
        var record = new byte[HeadLength];
        record[0] = Version;
        record[StatusAt] = InProgress;
        record[MarkAt] = Unmarked;
        WriteDigits(claim.Attempt, record.AsSpan(AttemptAt, RetentionAt - AttemptAt));
        WriteDigits(Milliseconds(claim.Retention), record.AsSpan(RetentionAt, OwnerAt - RetentionAt));
        claim.Owner.TryWriteBytes(record.AsSpan(OwnerAt, OwnerLength));
        claim.Fingerprint.Hash.CopyTo(record.AsSpan(FingerprintAt));
        return record;
    }

    /// <summary>The retention of a claim, as in its record.</summary>
    public static byte[] Retention(TimeSpan retention)
    {
        var digits = new byte[OwnerAt - RetentionAt];
        WriteDigits(Milliseconds(retention), digits);
        return digits;
    }

    /// <summary>The version of steps, as in a record.</summary>
    public static byte[] StepsVersion(int version)
    {
        var digits = new byte[StepsAt - HeadLength];
        WriteDigits(version, digits);
        return digits;
    }

    /// <summary>The lifetime of a key in milliseconds: at least one, because Redis has no expiry in the past.</summary>
    /// <remarks>
    /// Redis counts whole milliseconds, from the start of the current one to the start of another. The rest can therefore be almost one millisecond too short, and a lease
    /// would end before its owner, who counts from before the call, expects it. One more is enough. A retention needs none: a key is gone one after its last.
    /// </remarks>
    public static long Life(TimeSpan lease, TimeSpan retention) => Math.Max(1, (lease > TimeSpan.Zero ? Milliseconds(lease) + 1 : 0) + Milliseconds(retention));

    /// <summary>Parses a record, if it is valid.</summary>
    /// <param name="bytes">The string.</param>
    /// <param name="left">The rest of the key's lifetime in milliseconds; negative if it has no expiry.</param>
    public static IdempotencyRecord? Parse(byte[] bytes, long left)
    {
        if (bytes.Length < HeadLength
            || bytes[0] != Version
            || bytes[StatusAt] is not (InProgress or Completed)
            || bytes[MarkAt] is not (Unmarked or Marked)
            || !TryReadDigits(bytes.AsSpan(AttemptAt, RetentionAt - AttemptAt), out var attempt) || attempt > int.MaxValue
            || !TryReadDigits(bytes.AsSpan(RetentionAt, OwnerAt - RetentionAt), out var retention) || retention > Longest)
        {
            return null;
        }

        var isCompleted = bytes[StatusAt] == Completed;
        var hasSteps = !isCompleted && bytes.Length > HeadLength;
        if (hasSteps && (bytes.Length <= StepsAt || !TryReadDigits(bytes.AsSpan(HeadLength, StepsAt - HeadLength), out _)))
        {
            return null;
        }

        // The expiry was removed, so the age is unknown: the owner may be running, and the response may still be needed.
        var (leaseLeft, retentionLeft) = left < 0 ? (Math.Max(1, retention), retention) : (left - retention, left);
        return new IdempotencyRecord
        {
            Status = isCompleted ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
            Owner = new Guid(bytes.AsSpan(OwnerAt, OwnerLength)),
            Attempt = (int)attempt,
            Fingerprint = new Fingerprint(Sha256Hash.FromBytes(bytes.AsSpan(FingerprintAt, Sha256Hash.Length))),
            Payload = bytes.AsMemory(hasSteps ? StepsAt : HeadLength),
            EffectsStarted = !isCompleted && bytes[MarkAt] == Marked,
            LeaseRemaining = isCompleted ? TimeSpan.Zero : TimeSpan.FromMilliseconds(Math.Min(leaseLeft, Longest)),
            RetentionRemaining = TimeSpan.FromMilliseconds(Math.Min(retentionLeft, Longest)),
        };
    }

    // Rounded up to whole milliseconds, so that nothing ends too early.
    private static long Milliseconds(TimeSpan time) => time <= TimeSpan.Zero ? 0 : Math.Min(((time.Ticks - 1) / TimeSpan.TicksPerMillisecond) + 1, Longest);

    private static void WriteDigits(long number, Span<byte> digits) =>
        Utf8Formatter.TryFormat(number, digits, out _, new System.Buffers.StandardFormat('D', (byte)digits.Length));

    private static bool TryReadDigits(ReadOnlySpan<byte> digits, out long number) => long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
