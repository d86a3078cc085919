namespace Idempotency.AspNetCore;

/// <summary>A store that the application has added, in the order of the calls.</summary>
/// <param name="Type">Its type.</param>
internal sealed record ChosenStore(Type Type);
