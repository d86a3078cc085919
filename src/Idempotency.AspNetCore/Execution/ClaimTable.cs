namespace Idempotency.AspNetCore;

/// <summary>The rules of a claim, in order. Pure: the result depends only on the store's response, the claim and the policy.</summary>
internal static class ClaimTable
{
    public static ClaimAction Next(in ClaimResult reply, in IdempotencyClaim claim, IdempotencyPolicy policy)
    {
        // 1. Nobody had the key, or its claim was taken over.
        if (reply.IsAcquired)
        {
            return ClaimAction.Run;
        }

        // 2. The record that was in the way has been released or deleted, or has expired.
        if (reply.Existing is not { } existing)
        {
            return ClaimAction.AskAgain;
        }

        // 3. A different request has the key, whatever the state of its record.
        if (existing.Fingerprint != claim.Fingerprint)
        {
            return ClaimAction.RejectReused;
        }

        // 4. The same request is complete.
        if (existing.Status == IdempotencyRecordStatus.Completed)
        {
            return ClaimAction.Replay;
        }

        // 5. It was abandoned after irreversible effects had started: no attempt may follow, regardless of the policy.
        if (existing is { IsAbandoned: true, EffectsStarted: true })
        {
            return ClaimAction.RejectOutcomeUnknown;
        }

        // 6. It was abandoned: the policy decides, unless recorded steps show how far it came (steps with an unknown outcome set the mark, see 5). A claim
        //    that the store has just declined to hand over is alive, regardless of the lease in the response, so it counts as running. One with a different
        //    owner or attempt is a later claim.
        if (existing.IsAbandoned && (claim.Supersedes != existing.Owner || claim.Attempt != existing.Attempt + 1))
        {
            return policy.WhenAbandoned == AbandonedBehavior.Refuse && existing.Payload.IsEmpty ? ClaimAction.RejectOutcomeUnknown : ClaimAction.TakeOver;
        }

        // 7. It is running.
        return policy.WhenInProgress == InProgressBehavior.Wait ? ClaimAction.Wait : ClaimAction.RejectInProgress;
    }
}
