using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Idempotency.AspNetCore;

/// <summary>A record as it is in Redis: one string, which the scripts compare and cut at these very places.</summary>
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
/// <para>Time is in the key's expiry and nowhere else. A completed record lives for its retention; one in progress for its lease and then its retention, so
/// its lease is over when no more than the retention is left.</para>
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

    // The longest time there is, in milliseconds.
    private const long Longest = long.MaxValue / TimeSpan.TicksPerMillisecond;

    /// <summary>What a claim writes.</summary>
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

    /// <summary>A claim's retention as its record has it.</summary>
    public static byte[] Retention(TimeSpan retention)
    {
        var digits = new byte[OwnerAt - RetentionAt];
        WriteDigits(Milliseconds(retention), digits);
        return digits;
    }

    /// <summary>The version of steps as a record has it.</summary>
    public static byte[] StepsVersion(int version)
    {
        var digits = new byte[StepsAt - HeadLength];
        WriteDigits(version, digits);
        return digits;
    }

    /// <summary>How long a key lives, in milliseconds: at least one, because Redis knows no expiry that is over already.</summary>
    /// <remarks>
    /// Redis counts whole milliseconds: from the start of the one it is in until the start of another. What is left can so be nearly one too few, and a lease
    /// over before its owner, who counts from before it asked, thinks so. One more is enough. A retention needs none: a key is gone one after its last.
    /// </remarks>
    public static long Life(TimeSpan lease, TimeSpan retention) => Math.Max(1, (lease > TimeSpan.Zero ? Milliseconds(lease) + 1 : 0) + Milliseconds(retention));

    /// <summary>Reads a record, if it is one.</summary>
    /// <param name="bytes">The string.</param>
    /// <param name="left">What is left of the key's life, in milliseconds; less than zero when it has no expiry.</param>
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

        // Somebody took the expiry away. Nobody knows then how old it is: its owner may be alive, its answer owed.
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

    // Up to the whole millisecond: what is promised is kept.
    private static long Milliseconds(TimeSpan time) => time <= TimeSpan.Zero ? 0 : Math.Min(((time.Ticks - 1) / TimeSpan.TicksPerMillisecond) + 1, Longest);

    private static void WriteDigits(long number, Span<byte> digits) =>
        Utf8Formatter.TryFormat(number, digits, out _, new System.Buffers.StandardFormat('D', (byte)digits.Length));

    private static bool TryReadDigits(ReadOnlySpan<byte> digits, out long number) => long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
