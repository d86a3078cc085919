namespace Idempotency.AspNetCore;

/// <summary>The JSON documents of the admin endpoints. Null values are omitted.</summary>
internal static class AdminDocuments
{
    /// <summary>A record.</summary>
    public sealed record Record(string StoreKey, string Status, int Attempt, bool? EffectsStarted, double? LeaseSecondsLeft, double? RetentionSecondsLeft, IReadOnlyList<Step>? Steps, Response? Response)
    {
        public static Record Of(IdempotencyRecordView record) => new(
            record.StoreKey.ToString(),
            record.Status == IdempotencyRecordStatus.Completed ? "completed" : record.IsAbandoned ? "abandoned" : "in-progress",
            record.Attempt,
            record.EffectsStarted ? true : null,
            Seconds(record.LeaseRemaining),
            Seconds(record.RetentionRemaining),
            record.Steps.Count > 0 ? [.. record.Steps.Select(static step => new Step(step.Name, step.State == StepState.Recorded ? "recorded" : "begun", step.Attempt, step.At))] : null,
            record.ResponseStatus is { } status ? new Response(status, record.ResponseHeaders, record.ResponseBodySize) : null);
    }

    /// <summary>The recorded response without the caller's data: header values and the body are never returned.</summary>
    public sealed record Response(int Status, IReadOnlyList<string> Headers, int? BodySize);

    /// <summary>A step of a run in progress. Its result is never returned.</summary>
    public sealed record Step(string Name, string State, int Attempt, DateTimeOffset At);

    /// <summary>Abandoned claims.</summary>
    public sealed record AbandonedClaims(IEnumerable<Abandoned> Abandoned, bool IsComplete);

    /// <summary>An abandoned claim.</summary>
    public sealed record Abandoned(string StoreKey, int Attempt, double? SecondsSinceLeaseEnd)
    {
        public static Abandoned Of(AbandonedClaim claim) => new(claim.StoreKey.ToString(), claim.Attempt, Seconds(claim.SinceLeaseEnd));
    }

    /// <summary>Claims of this process.</summary>
    public sealed record RunningClaims(IEnumerable<Running> Running, bool IsComplete);

    /// <summary>A claim of this process.</summary>
    public sealed record Running(string StoreKey, int Attempt, double SecondsRunning, double LeaseSeconds, double LeaseSecondsLeft)
    {
        public static Running Of(RunningClaim claim) => new(claim.StoreKey.ToString(), claim.Attempt, Seconds(claim.RunningFor), Seconds(claim.Lease), Seconds(claim.LeaseRemaining));
    }

    /// <summary>What happened in this process.</summary>
    public sealed record AllIncidents(IEnumerable<Incident> Incidents);

    /// <summary>Something that happened in this process.</summary>
    public sealed record Incident(string Kind, string StoreKey, DateTimeOffset FirstAt, DateTimeOffset LastAt, int Count)
    {
        public static Incident Of(IdempotencyIncident incident) => new(
            incident.Kind switch
            {
                IdempotencyIncidentKind.OutcomeUnknown => "outcome-unknown",
                IdempotencyIncidentKind.ResponseNotRecorded => "not-recorded",
                _ => "unreadable",
            },
            incident.StoreKey.ToString(),
            incident.FirstAt,
            incident.LastAt,
            incident.Count);
    }

    /// <summary>A request, in the client's terms; see <see cref="IdempotencyRecordQuery"/>.</summary>
    public sealed record Search(string? Method, string? Path, string? Key, string? Partition, string? Issuer, string? Subject, string? ClientId);

    /// <summary>An error.</summary>
    public sealed record Problem(int Status, string Detail);

    private static double? Seconds(TimeSpan? time) => time is { } left ? Seconds(left) : null;

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);
}
