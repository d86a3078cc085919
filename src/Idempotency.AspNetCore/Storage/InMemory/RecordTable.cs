namespace Idempotency.AspNetCore;

/// <summary>A part of the in-memory store: records by their key, and by the time when they are gone. Not thread-safe: lock it.</summary>
/// <remarks>
/// Records are values in arrays, numbered from 1, and their payloads are together on pages, so a million of them are about a thousand objects.
/// Objects that are created per request and live for a day are the worst case for a generational garbage collector: it follows and moves each of them twice
/// before it leaves them alone, which cost more than the claim and the completion themselves.
/// </remarks>
internal sealed class RecordTable : ExpiryQueue.IItems
{
    private const int FirstBuckets = 16;

    // Beyond this number, the memory of a flood is freed when its last record is gone.
    private const int ManyRecords = 1024;

    private readonly GrowingArray<Record> _records = new();
    private readonly ExpiryQueue _expiry;
    private readonly int _hashBitsTaken;
    private PayloadPages _payloads = new();

    // The first record of each bucket; 0 for none. Twice as many buckets as records, so that most lookups of unknown keys touch no record.
    private int[] _buckets = new int[FirstBuckets];
    private int _highest;
    private int _free;

    /// <param name="hashBitsTaken">The number of low bits of a hash code that are the same for all keys in this part.</param>
    public RecordTable(int hashBitsTaken)
    {
        _hashBitsTaken = hashBitsTaken;
        _expiry = new ExpiryQueue(this);
    }

    public int Count { get; private set; }

    /// <summary>A record. The reference is valid until the record is removed.</summary>
    public ref Record this[int number] => ref _records[number];

    ref ExpiryQueue.Item ExpiryQueue.IItems.ItemOf(int number) => ref _records[number].Due;

    /// <returns>Its number, or 0.</returns>
    public int Find(StoreKey key)
    {
        var number = _buckets[BucketOf(key)];
        while (number != 0)
        {
            ref var record = ref _records[number];
            if (record.Key == key)
            {
                break;
            }

            number = record.NextInBucket;
        }

        return number;
    }

    /// <summary>Adds a record under a key that has none.</summary>
    /// <returns>Its number.</returns>
    public int Add(StoreKey key)
    {
        if (2 * (Count + 1) > _buckets.Length)
        {
            DoubleBuckets();
        }

        var number = _free;
        if (number == 0)
        {
            number = ++_highest;
            _records.MakeRoom(number);
        }
        else
        {
            _free = _records[number].NextInBucket;
        }

        Count++;
        ref var record = ref _records[number];
        record.Key = key;
        record.IsUsed = true;
        PutInBucket(number, ref record);
        return number;
    }

    public void Remove(int number)
    {
        _expiry.Cancel(number);
        ref var record = ref _records[number];
        _payloads.Remove(record.Payload);
        ref var link = ref _buckets[BucketOf(record.Key)];
        while (link != number)
        {
            link = ref _records[link].NextInBucket;
        }

        link = record.NextInBucket;
        record = default;
        record.NextInBucket = _free;
        _free = number;
        if (--Count == 0 && _highest > ManyRecords)
        {
            _records.Clear();
            _payloads = new PayloadPages();
            _buckets = new int[FirstBuckets];
            _highest = _free = 0;
        }
    }

    /// <summary>Sets the time when a record is gone.</summary>
    public void Schedule(int number, long goneAt)
    {
        _records[number].Due.GoneAt = goneAt;
        _expiry.Schedule(number);
    }

    /// <inheritdoc cref="ExpiryQueue.NextDue"/>
    public int NextDue(long now, bool exact) => _expiry.NextDue(now, exact);

    public void SetPayload(int number, ReadOnlyMemory<byte> payload, TimeSpan retention)
    {
        var added = _payloads.Add(payload, retention); // first, because if there is no memory for it, nothing is changed
        _payloads.Remove(_records[number].Payload);
        _records[number].Payload = added;
    }

    public ReadOnlyMemory<byte> PayloadOf(int number) => _payloads.Read(_records[number].Payload);

    /// <summary>The numbers of all records.</summary>
    public IEnumerable<int> Numbers() => Enumerable.Range(1, _highest).Where(number => _records[number].IsUsed);

    private int BucketOf(StoreKey key) => (int)((uint)key.GetHashCode() >> _hashBitsTaken) & (_buckets.Length - 1);

    private void PutInBucket(int number, ref Record record)
    {
        ref var first = ref _buckets[BucketOf(record.Key)];
        record.NextInBucket = first;
        first = number;
    }

    private void DoubleBuckets()
    {
        _buckets = new int[2 * _buckets.Length];
        for (var number = 1; number <= _highest; number++)
        {
            ref var record = ref _records[number];
            if (record.IsUsed)
            {
                PutInBucket(number, ref record);
            }
        }
    }

    /// <summary>A record, in progress or completed.</summary>
    internal struct Record
    {
        public StoreKey Key;
        public Fingerprint Fingerprint;
        public Guid Owner;
        public ExpiryQueue.Item Due;
        public long LeaseUntil;
        public int Attempt;
        public bool IsUsed;
        public bool IsCompleted;
        public bool EffectsStarted;
        public int StepsVersion;
        internal PayloadPages.Place Payload;
        internal int NextInBucket;
    }
}
