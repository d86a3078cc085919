namespace Idempotency.AspNetCore.DynamoDB.Tests;

/// <summary>What DynamoDB charges for a call, and the size of the item, by which it charges.</summary>
internal readonly record struct Charge(bool IsRead, double Units, int Bytes);
