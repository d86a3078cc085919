// The tests mostly wait, for leases that end and servers that come and go.
[assembly: CollectionBehavior(MaxParallelThreads = 8)]
