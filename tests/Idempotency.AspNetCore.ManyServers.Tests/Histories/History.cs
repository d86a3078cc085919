namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>What the clients were told and what the handlers did, and whether the two agree with what the library promises.</summary>
internal static class History
{
    public const string Auditor = "auditor";

    /// <summary>Checks one key's history.</summary>
    /// <remarks>
    /// <para>The rules: 1. Nobody is told anything that is not a stated answer. 2. A key runs again only after a run that failed and gave the key
    /// back, or as the next attempt of one whose claim lapsed; under "refuse" only the former. 3. A success tells of an effect of this key that
    /// did not fail. 4. All successes agree. 5. What is asked after a success was told is answered with that success, unless the store or the
    /// server is away. 6. No run begins after a success was told, but for one whose claim had lapsed before. 7. Who asks every server at the end
    /// gets that success from each.</para>
    /// <para>A success marked as unrecorded binds nobody: it is left out of 4 to 7.</para>
    /// </remarks>
    /// <returns>What is wrong, in words.</returns>
    public static IEnumerable<string> Violations(IReadOnlyList<Effect> effects, IReadOnlyList<Operation> operations)
    {
        var failed = effects.Count(effect => effect.Fails);
        var bound = operations.Where(operation => operation.Binds).OrderBy(operation => operation.ToldAt).ToList();

        // 1
        foreach (var operation in operations.Where(operation => !IsStated(operation.Answer, failed)))
        {
            yield return $"an answer nobody stated: {operation}";
        }

        // 2. Between two times that the key was free, each attempt's number is used once; and it was made free at most once by each failure.
        foreach (var attempt in effects.GroupBy(effect => effect.Attempt).Where(attempt => attempt.Count() > 1 + failed))
        {
            yield return $"attempt {attempt.Key} ran {attempt.Count()} times, with {failed} failures";
        }

        if (operations.Any(operation => operation.Endpoint == "refuse") && effects.Count - failed > 1)
        {
            yield return $"{effects.Count - failed} effects where an unknown outcome is refused";
        }

        // 3
        foreach (var operation in operations.Where(operation => operation.Answer.IsSuccess && !effects.Any(effect => !effect.Fails && effect == operation.Answer.Effect)))
        {
            yield return $"a success without an effect: {operation}";
        }

        if (bound.Count == 0)
        {
            yield break;
        }

        // 4
        var first = bound[0];
        foreach (var operation in bound.Where(operation => operation.Answer.Body != first.Answer.Body))
        {
            yield return $"two answers: {operation} and before {first}";
        }

        // 5
        foreach (var operation in operations.Where(operation => operation.SentAt > first.ToldAt && !operation.Answer.IsSuccess && !IsAway(operation.Answer)))
        {
            yield return $"a success taken back: {operation} after {first}";
        }

        // 6. (Attempts of different claims cannot be told apart by number once a failure has made the count begin again.)
        foreach (var effect in effects.Where(effect => failed == 0 && effect.At > first.ToldAt && effect.Attempt >= first.Answer.Effect.Attempt))
        {
            yield return $"ran after a success was told: {effect} after {first}";
        }

        // 7
        foreach (var audit in operations.Where(operation => operation.Client == Auditor && operation.Answer is not { IsSuccess: true, IsReplay: true }))
        {
            yield return $"not replayed in the end: {audit}";
        }
    }

    private static bool IsAway(Answer answer) => answer.Status == 0 || answer is { Status: 503, Code: Answer.StoreUnavailable };

    private static bool IsStated(Answer answer, int failed) => IsAway(answer) || answer.Status switch
    {
        200 => true,
        409 => answer.Code is Answer.InProgress or Answer.OutcomeUnknown,
        500 => failed > 0,
        _ => false,
    };
}
