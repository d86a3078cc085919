namespace Idempotency.AspNetCore;

/// <summary>A record and what it means. Bodies, header values and results of steps are not in it.</summary>
/// <param name="StoreKey">The key it is stored under.</param>
/// <param name="State">See <see cref="Verdict"/>.</param>
/// <param name="Ran">Whether the request ran.</param>
/// <param name="MayForget">In one word.</param>
/// <param name="Forget">In a sentence.</param>
/// <param name="Confirm">What forgetting means.</param>
/// <param name="Attempt">Which attempt it is of.</param>
/// <param name="Next">What the next request with its key meets, while it is abandoned.</param>
/// <param name="LeaseSecondsLeft">What is left of the lease, while it is in progress; less than zero when it is over.</param>
/// <param name="RetentionSecondsLeft">How long a completed record is still kept.</param>
/// <param name="CompletedSecondsAgo">How long ago it was completed, by the retention of its endpoint's policy; null where that is not known.</param>
/// <param name="Response">What is recorded of the response.</param>
/// <param name="Steps">The steps of a run that is not completed.</param>
/// <param name="Incidents">What happened to it in this process.</param>
internal sealed record RecordDocument(
    string StoreKey,
    string State,
    string Ran,
    string MayForget,
    string Forget,
    string Confirm,
    int? Attempt = null,
    string? Next = null,
    double? LeaseSecondsLeft = null,
    double? RetentionSecondsLeft = null,
    double? CompletedSecondsAgo = null,
    RecordDocument.RecordedResponse? Response = null,
    IReadOnlyList<RecordedStep>? Steps = null,
    IReadOnlyList<string>? Incidents = null)
{
    public sealed record RecordedResponse(int Status, IReadOnlyList<string> Headers, int? BodySize);

    public static RecordDocument Of(StoreKey storeKey, Verdict verdict) => new(storeKey.ToString(), verdict.State, verdict.Ran, verdict.MayForget, verdict.Forget, verdict.Confirm);
}
